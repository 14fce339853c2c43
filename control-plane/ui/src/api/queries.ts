import { QueryClient } from '@tanstack/react-query';
import { Problem } from './problem';

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // Events say when something changed; nothing is read again merely because it is shown again soon after.
      staleTime: 15_000,
      refetchOnWindowFocus: false,
      retry: (failures, cause) => failures < 2 && cause instanceof Problem && [0, 502, 503, 504].includes(cause.status),
    },
  },
});
