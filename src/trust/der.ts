// Octets in DER, as far as certificates and revocation lists need them. It keeps where each element stands, because what is signed
// is octets.

/** Octets that are no DER. */
export class DerError extends Error {
  override readonly name = 'DerError';
}

export const TAG = {
  BOOLEAN: 0x01,
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  OBJECT_IDENTIFIER: 0x06,
  UTC_TIME: 0x17,
  GENERALIZED_TIME: 0x18,
  SEQUENCE: 0x30,
} as const;

/** The tag of a context-specific element that holds others. */
export const context = (number: number): number => 0xa0 | number;

export type DerElement = {
  readonly tag: number;
  /** The element with its tag and length, as a view. */
  readonly whole: Uint8Array;
  readonly content: Uint8Array;
};

/** The one element that the octets are; throws a DerError. */
export function derElement(octets: Uint8Array): DerElement {
  const element = elementAt(octets, 0);
  if (element.whole.length !== octets.length) throw new DerError('octets follow its end');
  return element;
}

/** The elements that an element consists of; throws a DerError. */
export function* derElements({ content }: DerElement): Generator<DerElement, void> {
  for (let at = 0; at < content.length;) {
    const element = elementAt(content, at);
    at += element.whole.length;
    yield element;
  }
}

/** Takes the elements of another in their order. */
export class DerCursor {
  readonly #elements: Iterator<DerElement, void>;
  #next: DerElement | undefined;

  constructor(parent: DerElement, tag: number = TAG.SEQUENCE) {
    if (parent.tag !== tag) throw new DerError(`tag ${parent.tag} stands where ${tag} is expected`);
    this.#elements = derElements(parent)[Symbol.iterator]();
    this.#advance();
  }

  get isAtEnd(): boolean {
    return this.#next === undefined;
  }

  /** The next element, whose tag has to be one of these; throws a DerError. */
  take(...tags: readonly number[]): DerElement {
    const element = this.#next;
    if (element === undefined) throw new DerError('it ends too early');
    if (tags.length > 0 && !tags.includes(element.tag)) {
      throw new DerError(`tag ${element.tag} stands where ${tags.join(' or ')} is expected`);
    }
    this.#advance();
    return element;
  }

  /** The next element if it has one of these tags. */
  takeIf(...tags: readonly number[]): DerElement | undefined {
    return this.#next !== undefined && tags.includes(this.#next.tag) ? this.take() : undefined;
  }

  #advance(): void {
    const next = this.#elements.next();
    this.#next = next.done === true ? undefined : next.value;
  }
}

/** `1.2.840.113549.1.1.11`. */
export function objectIdentifier({ content }: DerElement): string {
  const numbers: number[] = [];
  let value = 0;
  for (const octet of content) {
    value = value * 128 + (octet & 0x7f);
    if ((octet & 0x80) !== 0) continue;
    if (numbers.length > 0) numbers.push(value);
    else numbers.push(Math.min(Math.floor(value / 40), 2), value - 40 * Math.min(Math.floor(value / 40), 2));
    value = 0;
  }
  return numbers.join('.');
}

const UTC = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;
const GENERALIZED = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;

/** A UTCTime or GeneralizedTime as RFC 5280 allows it; throws a DerError. */
export function derTime({ tag, content }: DerElement): Date {
  const text = Buffer.from(content).toString('latin1');
  const [, first, ...rest] = (tag === TAG.UTC_TIME ? UTC : GENERALIZED).exec(text) ?? [];
  if (first === undefined) throw new DerError('a time is not as RFC 5280 has it');
  const [month, day, hour, minute, second] = rest.map(Number) as [number, number, number, number, number];
  const year = tag !== TAG.UTC_TIME ? Number(first) : Number(first) + (Number(first) < 50 ? 2000 : 1900);
  return new Date(Date.UTC(year, month - 1, day, hour, minute, second));
}

/** The octets of a BIT STRING without the count of unused bits. */
export function bitString({ content }: DerElement): Uint8Array {
  if (content.length === 0) throw new DerError('a bit string has no octet');
  return content.subarray(1);
}

function elementAt(octets: Uint8Array, at: number): DerElement {
  const tag = octets[at];
  const first = octets[at + 1];
  if (tag === undefined || first === undefined) throw new DerError('it ends within an element');
  if ((tag & 0x1f) === 0x1f) throw new DerError('it has a tag of several octets');
  let start = at + 2;
  let length = first;
  if (first >= 0x80) {
    const count = first - 0x80;
    if (count === 0 || count > 4) throw new DerError('it has a length that is not allowed');
    length = 0;
    for (let i = 0; i < count; i++) length = length * 256 + (octets[start++] ?? Infinity);
  }
  const end = start + length;
  if (!(end <= octets.length)) throw new DerError('it ends within an element');
  return { tag, whole: octets.subarray(at, end), content: octets.subarray(start, end) };
}
