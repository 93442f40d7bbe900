// Hashes of a name and of all its ancestors in one pass: labels are mixed in from the right, so that the hash of a suffix is
// that of the domain which it names, wherever it stands.

/** The octet in lower case, for the letters of ASCII; all others as they are (RFC 4343). */
export const LOWER: Uint8Array = Uint8Array.from({ length: 256 }, (_, octet) =>
  octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet,
);

/** Labels of a name at most, the root's left out: 127 of one octet each fill 255 octets. */
export const MAX_LABELS = 127;

/** The hash of the root, from which all others start. */
export const ROOT_HASH = 0x811c9dc5 | 0;

/** The hash of a name from that of its parent and its first label, whose length octet is at `at`. */
export function hashLabel(parent: number, octets: Uint8Array, at: number): number {
  let hash = parent;
  const end = at + octets[at]!;
  hash = Math.imul(hash ^ octets[at]!, 0x01000193);
  for (let index = at + 1; index <= end; index++) {
    hash = Math.imul(hash ^ LOWER[octets[index]!]!, 0x01000193);
  }
  return hash ^ (hash >>> 15);
}

/** The hash of a whole name without compression that starts at `at`. */
export function hashName(octets: Uint8Array, at: number): number {
  const starts: number[] = [];
  for (let index = at; octets[index] !== 0; index += octets[index]! + 1) starts.push(index);
  return starts.reduceRight((hash, start) => hashLabel(hash, octets, start), ROOT_HASH);
}

/** Whether `length` octets of a name are the same as those of another, letters of either case; both without compression. */
export function equalNames(
  octets: Uint8Array,
  at: number,
  others: Uint8Array,
  otherAt: number,
  length: number,
): boolean {
  // From the end of the labels that differ most, and no label's length can be taken for a letter: it is 63 at most.
  for (let index = 0; index < length; index++) {
    if (LOWER[octets[at + index]!] !== LOWER[others[otherAt + index]!]) return false;
  }
  return true;
}
