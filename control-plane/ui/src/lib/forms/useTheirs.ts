import type { UseFormReturnType } from '@mantine/form';
import { useEffect, useState } from 'react';

export interface Theirs {
  /** Of what the form was filled with; a change is refused when it is no longer this one. */
  version: number;
  isNewer: boolean;
  /** Fills the form anew, as soon as there is a newer version. */
  load: () => void;
}

/** A form of something that others can change too: it follows them as long as nothing is typed, and afterwards says so. */
export function useTheirs<T extends { version: number }, V>(
  form: UseFormReturnType<V>,
  thing: T,
  valuesOf: (thing: T) => V,
): Theirs {
  const [base, setBase] = useState(thing.version);
  const [isWanted, setWanted] = useState(false);
  const isNewer = thing.version !== base;
  useEffect(() => {
    if (!isNewer || (form.isDirty() && !isWanted)) return;
    const values = valuesOf(thing);
    form.setInitialValues(values);
    form.setValues(values);
    form.clearErrors();
    setBase(thing.version);
    setWanted(false);
  });
  return { version: base, isNewer, load: () => setWanted(true) };
}
