import { modals } from '@mantine/modals';
import { ConfirmForm, type ConfirmProps } from './ConfirmForm';

/** Asks before something that cannot simply be taken back. Says what will happen; asks for the name where data can be lost. */
export function confirm<R>({ title, ...rest }: { title: string } & Omit<ConfirmProps<R>, 'close'>): void {
  const id = modals.open({ title, children: <ConfirmForm {...rest} close={() => modals.close(id)} /> });
}
