/** The end of an id, which differs; its beginning is a time. */
export function shortId(id: string): string {
  return `…${id.slice(-8)}`;
}
