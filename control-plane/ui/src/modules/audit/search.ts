import { auditRoute } from './routes';

export const FILTERS = ['actor', 'action', 'target_kind', 'target_id', 'since', 'until'];

/** The filters of the URL as the API calls them. */
export function useAuditFilter() {
  const { actor, action, target_kind, target_id, since, until } = auditRoute.useSearch();
  return { actor, action, target_kind, target_id, from: since, until };
}
