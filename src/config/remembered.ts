// What a check finds of one object, kept for as long as nothing that it looked at has changed: most changes leave most objects
// alone, and a check of all of them then costs a look at each.

import type { AnyConfigObject, CheckContext, ObjectTypeOptions, TypedObject } from './object-type.ts';
import type { PropertyMap } from './property.ts';

/** What a check of one object may look at: the object and others by name, not all others. */
export type ObjectContext = Pick<CheckContext, 'find' | 'error' | 'warn'>;

type Report = { kind: 'error' | 'warn'; of: Parameters<CheckContext['error']> };

type Memory<T> = {
  readonly value: T;
  readonly reports: readonly Report[];
  /** Type and name of everything that was looked for, and what was found. */
  readonly types: readonly ObjectTypeOptions<string, PropertyMap>[];
  readonly names: readonly string[];
  readonly found: readonly (AnyConfigObject | undefined)[];
};

/**
 * The same check, which is not made again for an object while it and what it has found are the same objects; what it reported
 * is reported again. It must depend on nothing else.
 */
export function remembered<O extends AnyConfigObject, T>(
  check: (object: O, context: ObjectContext) => T,
): (object: O, context: ObjectContext) => T {
  const memories = new WeakMap<O, Memory<T>>();
  return (object, context) => {
    const known = memories.get(object);
    if (known !== undefined && stillHolds(known, context)) {
      for (const { kind, of } of known.reports) context[kind](...of);
      return known.value;
    }
    const recorder = new Recorder(context);
    const value = check(object, recorder);
    memories.set(object, { value, ...recorder.made });
    return value;
  };
}

function stillHolds({ types, names, found }: Memory<unknown>, context: ObjectContext): boolean {
  for (let index = 0; index < names.length; index++) {
    if (context.find(types[index]!, names[index]!) !== found[index]) return false;
  }
  return true;
}

class Recorder implements ObjectContext {
  readonly made = {
    reports: [] as Report[],
    types: [] as ObjectTypeOptions<string, PropertyMap>[],
    names: [] as string[],
    found: [] as (AnyConfigObject | undefined)[],
  };
  readonly #context: ObjectContext;

  constructor(context: ObjectContext) {
    this.#context = context;
  }

  find<Path extends string, M extends PropertyMap>(
    type: ObjectTypeOptions<Path, M>,
    name: string,
  ): TypedObject<Path, M> | undefined {
    const found = this.#context.find(type, name);
    this.made.types.push(type as unknown as ObjectTypeOptions<string, PropertyMap>);
    this.made.names.push(name);
    this.made.found.push(found);
    return found;
  }

  error(...of: Parameters<CheckContext['error']>): void {
    this.made.reports.push({ kind: 'error', of });
    this.#context.error(...of);
  }

  warn(...of: Parameters<CheckContext['error']>): void {
    this.made.reports.push({ kind: 'warn', of });
    this.#context.warn(...of);
  }
}
