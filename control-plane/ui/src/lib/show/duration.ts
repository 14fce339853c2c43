/** How long it took, as people say it: `850 ms`, `12 s`, `3 min 5 s`. */
export function duration(from: string, until: string): string {
  const ms = Date.parse(until) - Date.parse(from);
  if (ms < 1000) return `${ms} ms`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
