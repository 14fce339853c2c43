import { Problem } from '@/api/problem';

/** Mantine's `useForm`, as far as errors need it. */
export interface FormLike {
  setErrors: (errors: Record<string, string>) => void;
  getValues: () => object;
}

/** `storages[0].name`, as the API writes it, is `storages.0.name` in a form. */
function pathOf(field: string): string {
  return field.replaceAll(/\[(\d+)\]/g, '.$1');
}

function has(form: FormLike, field: string): boolean {
  return (pathOf(field).split('.', 1)[0] ?? '') in form.getValues();
}

/** Where a form shows it: a list of texts is one field, whichever of them is wrong. */
function shownAt(form: FormLike, field: string): string {
  const path = pathOf(field);
  const [list = '', place] = path.split('.', 2);
  const values: unknown = Object.entries(form.getValues()).find(([name]) => name === list)?.[1];
  const isText = Array.isArray(values) && typeof values[Number(place)] === 'string';
  return isText ? list : path;
}

/** Puts each error to its field. */
export function showAtFields(form: FormLike, problem: Problem): void {
  const own = problem.errors.filter(({ field }) => has(form, field));
  if (own.length === 0) return;
  form.setErrors(Object.fromEntries(own.map(({ field, message }) => [shownAt(form, field), upper(message)])));
}

/** What of a problem no field of the form shows; null: all of it is at its field. */
export function problemBeyond(form: FormLike, problem: Problem): Problem | null {
  const left = problem.errors.filter(({ field }) => !has(form, field));
  if (problem.errors.length > 0 && left.length === 0) return null;
  const { status, code, message: detail, requestId: request_id } = problem;
  return new Problem({ status, code, detail, request_id, errors: left });
}

function upper(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
