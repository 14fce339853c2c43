import { Drawer, Modal } from '@mantine/core';
import { TokenForm } from './add/TokenForm';
import { EndpointForm } from './detail/EndpointForm';
import { EditForm } from './form/EditForm';
import { serverRoute } from './routes';
import type { Drain, Server } from './servers';
import { DrainForm } from './status/DrainForm';
import { OpenForm } from './status/OpenForm';

/** The forms of a server's page; which is open stands in the URL. */
export function ServerForms({ server, drain }: { server: Server; drain?: Drain }) {
  const { open } = serverRoute.useSearch();
  const navigate = serverRoute.useNavigate();
  const close = () => void navigate({ search: ({ open: _, ...rest }) => rest });
  return (
    <>
      <Drawer opened={open === 'edit'} onClose={close} size="lg" title={`Edit ${server.name}`}>
        <EditForm server={server} close={close} />
      </Drawer>
      <Modal opened={open === 'drain'} onClose={close} size="xl" title={`Drain ${server.name}`}>
        <DrainForm server={server} close={close} />
      </Modal>
      <Modal opened={open === 'online'} onClose={close} title={`Open ${server.name}`}>
        <OpenForm server={server} drain={drain} close={close} />
      </Modal>
      <Drawer
        opened={open === 'token'}
        onClose={close}
        size="lg"
        title={`Enrol ${server.name} anew`}
        closeOnClickOutside={false}
      >
        <TokenForm server={server} close={close} />
      </Drawer>
      <Modal opened={open === 'endpoint'} onClose={close} size="lg" title="Migration endpoint">
        <EndpointForm server={server} close={close} />
      </Modal>
    </>
  );
}
