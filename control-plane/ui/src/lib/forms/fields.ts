import { Problem } from '@/api/problem';

/** Mantine's `useForm`, as far as errors need it. */
export interface FormLike {
  setErrors: (errors: Record<string, string>) => void;
  getInputNode: (path: string) => unknown;
}

/**
 * Where on the screen an error is shown: at its field (`storages[0].name`, as the API writes it, is `storages.0.name` in a form) or at
 * the one that it is part of, such as a line of keys. Undefined where there is none: who may not set a field does not see it.
 */
function shownAt(form: FormLike, field: string): string | undefined {
  const parts = field.replaceAll(/\[(\d+)\]/g, '.$1').split('.');
  for (; parts.length > 0; parts.pop()) {
    const path = parts.join('.');
    if (form.getInputNode(path)) return path;
  }
  return undefined;
}

/** Puts each error to its field, and gives what no field shows; null: all of it is at its field. */
export function showAtFields(form: FormLike, problem: Problem): Problem | null {
  const shown: Record<string, string> = {};
  const left: Problem['errors'] = [];
  for (const error of problem.errors) {
    const path = shownAt(form, error.field);
    if (path === undefined) left.push(error);
    else shown[path] = upper(error.message);
  }
  if (Object.keys(shown).length > 0) form.setErrors(shown);
  if (problem.errors.length > 0 && left.length === 0) return null;
  const { status, code, message: detail, requestId: request_id } = problem;
  return new Problem({ status, code, detail, request_id, errors: left });
}

/** As sentences begin. */
export function upper(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
