import { notifications } from '@mantine/notifications';
import { type Problem, problemOf } from '@/api/problem';

/** Tells a problem where no place is for it on the page. */
export function tellProblem(cause: unknown): void {
  const { message, errors, requestId }: Problem = problemOf(cause);
  const fields = errors.map(({ field, message: wrong }) => `${field} ${wrong}`).join('; ');
  notifications.show({
    color: 'red',
    title: message,
    message: [fields, requestId && `Request ${requestId}`].filter(Boolean).join(' · '),
    autoClose: 15_000,
    withBorder: true,
  });
}
