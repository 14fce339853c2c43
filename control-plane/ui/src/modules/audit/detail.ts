// What more a record says: an object that each action fills as it likes, mostly with `before` and `after`.

export interface Difference {
  field: string;
  before: string | undefined;
  after: string | undefined;
  isChanged: boolean;
}

type Value = unknown;

function isObject(value: Value): value is Record<string, Value> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What the thing is called, where the record says it. */
export function nameOf(detail: object): string | undefined {
  const { after, before, name, email } = detail as Record<string, Value>;
  const found = [name, email, isObject(after) && after.name, isObject(before) && before.name];
  return found.find((one): one is string => typeof one === 'string' && one !== '');
}

/** From where somebody signed in: there the request is not of anybody yet, and only the detail has it. */
export function addressOf(detail: object): string | undefined {
  const { address } = detail as Record<string, Value>;
  return typeof address === 'string' ? address : undefined;
}

/** Field by field what was and what is; null: the record tells of no change. */
export function differencesOf(detail: object): Difference[] | null {
  const { before, after } = detail as Record<string, Value>;
  if (before === undefined && after === undefined) return null;
  const was = flat(before);
  const is = flat(after);
  const fields = [...new Set([...was.keys(), ...is.keys()])];
  return fields.map((field) => {
    const [old, now] = [was.get(field), is.get(field)];
    return { field, before: old, after: now, isChanged: old !== now };
  });
}

/** What else it says, beside the change. */
export function restOf(detail: object): [string, string][] {
  const { before: _, after: __, ...rest } = detail as Record<string, Value>;
  return [...flat(rest)];
}

/** Each value with its path: `terms.price_minor`. */
function flat(value: Value, path = ''): Map<string, string> {
  if (value === undefined) return new Map();
  if (!isObject(value)) return new Map([[path || 'value', written(value)]]);
  const entries = Object.entries(value);
  if (entries.length === 0 && path) return new Map([[path, '{}']]);
  return new Map(entries.flatMap(([name, inner]) => [...flat(inner, path ? `${path}.${name}` : name)]));
}

function written(value: Value): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
