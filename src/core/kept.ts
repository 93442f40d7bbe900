// Functions that remember their last result for an object, for as long as the object lives.

/**
 * The same function, which is not called again for an object while everything else that it is given is the same, by identity.
 * It must depend on nothing but what it is given, and nobody may change what it returns.
 */
export function kept<K extends object, I extends readonly unknown[], T>(
  make: (key: K, ...inputs: I) => T,
): (key: K, ...inputs: I) => T {
  const results = new WeakMap<K, { readonly inputs: I; readonly result: T }>();
  return (key, ...inputs) => {
    const known = results.get(key);
    if (known !== undefined && sameInputs(known.inputs, inputs)) return known.result;
    const result = make(key, ...inputs);
    results.set(key, { inputs, result });
    return result;
  };
}

function sameInputs(a: readonly unknown[], b: readonly unknown[]): boolean {
  for (let index = 0; index < b.length; index++) if (a[index] !== b[index]) return false;
  return a.length === b.length;
}
