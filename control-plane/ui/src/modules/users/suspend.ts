import { api, unwrap } from '@/api/client';
import { confirm } from '@/lib/confirm/confirm';
import type { User } from './users';

export function suspend({ id, tenant_id, name }: User): void {
  confirm({
    title: `Suspend ${name}`,
    children:
      'They are shut out of this tenant at once. Their API tokens for it and the invitations that they gave end, and all their ' +
      'sign-ins if no other tenant lets them in. Their account stays.',
    label: 'Suspend',
    isDanger: true,
    changes: ['user', 'token', 'invitation'],
    run: () => unwrap(api.POST('/api/admin/users/{id}/suspend', { params: { path: { id }, query: { tenant_id } } })),
  });
}

export function reactivate({ id, tenant_id, name }: User): void {
  confirm({
    title: `Let ${name} in again`,
    children: 'They may do again what their role says. Tokens and sign-ins that ended stay ended.',
    label: 'Reactivate',
    changes: ['user'],
    run: () => unwrap(api.POST('/api/admin/users/{id}/reactivate', { params: { path: { id }, query: { tenant_id } } })),
  });
}
