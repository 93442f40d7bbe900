// Classes of records by their mnemonics (RFC 1035, section 3.2.4; RFC 3597, section 5; RFC 6895, section 3.2).

export const CLASS_IN = 1;

const CLASSES = new Map([
  ['IN', CLASS_IN],
  ['CH', 3],
  ['CHAOS', 3],
  ['HS', 4],
  ['HESIOD', 4],
  ['NONE', 254],
  ['ANY', 255],
]);

/** The number of a mnemonic or of `CLASSnnn`, without regard to case. */
export function classOf(mnemonic: string): number | undefined {
  const upper = mnemonic.toUpperCase();
  const generic = /^CLASS(\d{1,5})$/.exec(upper)?.[1];
  return CLASSES.get(upper) ?? (generic === undefined ? undefined : Number(generic));
}

/** The mnemonic of a class, or `CLASSnnn`. */
export function className(number: number): string {
  for (const [mnemonic, known] of CLASSES) if (known === number) return mnemonic;
  return `CLASS${number}`;
}
