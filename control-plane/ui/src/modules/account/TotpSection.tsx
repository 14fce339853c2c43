import { Button, Text } from '@mantine/core';
import { modals } from '@mantine/modals';
import { IconShieldCheck, IconShieldOff } from '@tabler/icons-react';
import type { components } from '@/api/schema';
import { Section } from '@/lib/page/Section';
import { Pill } from '@/lib/pills/Pill';
import { TotpDisable } from './TotpDisable';
import { TotpEnrol } from './TotpEnrol';

const RECOVERY_FEW = 3;

export function TotpSection({ user }: { user: components['schemas']['SignedInPerson'] }) {
  const { totp_enabled: isOn, recovery_codes_left: left } = user;
  const open = () => {
    const close = () => modals.close(id);
    const id = modals.open({
      title: isOn ? 'Take the second factor away' : 'Set up a second factor',
      closeOnClickOutside: false,
      children: isOn ? <TotpDisable close={close} /> : <TotpEnrol close={close} />,
    });
  };
  return (
    <Section
      title="Second factor"
      about="A code of an authenticator app is asked for beside the password."
      beside={
        <Pill tone={isOn ? 'good' : 'plain'} icon={isOn ? IconShieldCheck : IconShieldOff}>
          {isOn ? 'On' : 'Off'}
        </Pill>
      }
      actions={
        <Button variant={isOn ? 'default' : 'filled'} onClick={open}>
          {isOn ? 'Take away' : 'Set up'}
        </Button>
      }
    >
      {isOn && (
        <Text size="sm">
          {left} recovery {left === 1 ? 'code is' : 'codes are'} left.
          {left <= RECOVERY_FEW && ' Take the second factor away and set it up again to get new ones.'}
        </Text>
      )}
    </Section>
  );
}
