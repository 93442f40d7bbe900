// The kinds of properties: how each is written, read and made canonical.

import { formatAddress, formatAddressOrAny, formatPrefix } from '../core/address.ts';
import { parseAddress, parseAddressOrAny, parsePrefix } from '../core/address.ts';
import { formatMac, parseMac } from '../core/mac.ts';
import { parsePort } from '../wire/service-names.ts';
import { fullPath, nameProblem, pathProblem, relativeName } from './name.ts';
import type { AnyObjectType } from './object-type.ts';
import type { Always, ListKind, PropertiesOf, Property, PropertyMap, PropertyOptions, ScalarKind } from './property.ts';
import type { RecordTable } from './record-table.ts';

/** What a reference must know of the type that it names. */
export type ReferenceTarget = Pick<AnyObjectType, 'path' | 'label' | 'naming'> &
  Partial<Pick<AnyObjectType, 'nameProblem'>>;

/** The longest string that a property takes (F5: 01020057). */
export const MAX_STRING_OCTETS = 65535;

/** Free text. */
export function string<const O extends PropertyOptions<string>>(options: O): Property<string, Always<O>> {
  return { ...options, kind: textKind };
}

const textKind: ScalarKind<string> = {
  shape: 'scalar',
  name: 'string',
  expects: 'a text',
  read: (word) =>
    word.length > MAX_STRING_OCTETS ? { problem: `is longer than ${MAX_STRING_OCTETS} characters` } : { value: word },
  print: (value) => value,
};

/** A string of a form of its own; `read` gives the canonical text. */
export function pattern<const O extends PropertyOptions<string>>(
  form: Pick<ScalarKind<string>, 'name' | 'expects' | 'words' | 'isPhrase' | 'within' | 'inDomain' | 'read'> &
    Partial<Pick<ScalarKind<string>, 'print'>>,
  options: O,
): Property<string, Always<O>> {
  return { ...options, kind: { shape: 'scalar', print: (value: string) => value, ...form } };
}

type Range = { readonly min: number; readonly max: number };

/** A decimal integer. */
export function integer<const O extends PropertyOptions<number>>(
  range: Range,
  options: O,
): Property<number, Always<O>> {
  return { ...options, kind: integerKind(range, []) };
}

/** A decimal integer, or one of the words that stand beside the numbers (`tos preserve`). */
export function integerOrWord<const W extends string, const O extends PropertyOptions<number | W>>(
  range: Range & { readonly words: readonly W[] },
  options: O,
): Property<number | W, Always<O>> {
  return { ...options, kind: integerKind(range, range.words) };
}

function integerKind({ min, max }: Range, words: readonly string[]): ScalarKind {
  const expects = [...words, `an integer from ${min} to ${max}`].join(' or ');
  const kind: ScalarKind<number | string> = {
    shape: 'scalar',
    name: 'integer',
    expects,
    words,
    read(word) {
      if (words.includes(word)) return { value: word };
      if (!/^(0|[1-9][0-9]{0,14})$/.test(word)) return { problem: `must be ${expects}` };
      const value = Number(word);
      return value < min || value > max ? { problem: `must be ${expects}` } : { value };
    },
    print: (value) => String(value),
  };
  return kind;
}

const portKind: ScalarKind<number> = {
  shape: 'scalar',
  name: 'port',
  expects: 'a port from 1 to 65535, or its name, as in domain',
  read(word) {
    const value = parsePort(word);
    return value === undefined || value === 0 ? { problem: `must be ${portKind.expects}` } : { value };
  },
  print: (value) => String(value),
};

/** One port of a transport protocol, by its number or its name: the number. */
export function port<const O extends PropertyOptions<number>>(options: O): Property<number, Always<O>> {
  return { ...options, kind: portKind };
}

/** `enabled` or `disabled`: a boolean. */
export function toggle<const O extends PropertyOptions<boolean>>(options: O): Property<boolean, Always<O>> {
  return { ...options, kind: booleanKind('enabled', 'disabled') };
}

/** `yes` or `no`: a boolean. */
export function yesNo<const O extends PropertyOptions<boolean>>(options: O): Property<boolean, Always<O>> {
  return { ...options, kind: booleanKind('yes', 'no') };
}

/** `true` or `false`: a boolean. */
export function trueFalse<const O extends PropertyOptions<boolean>>(options: O): Property<boolean, Always<O>> {
  return { ...options, kind: booleanKind('true', 'false') };
}

function booleanKind(whenTrue: string, whenFalse: string): ScalarKind {
  const kind: ScalarKind<boolean> = {
    shape: 'scalar',
    name: 'boolean',
    expects: `${whenTrue} or ${whenFalse}`,
    words: [whenTrue, whenFalse],
    read: (word) =>
      word === whenTrue || word === whenFalse
        ? { value: word === whenTrue }
        : { problem: `must be ${whenTrue} or ${whenFalse}` },
    print: (value) => (value ? whenTrue : whenFalse),
  };
  return kind;
}

/** A pair of bare keywords, `tagged` and `untagged`: a boolean. */
export function flag<const O extends PropertyOptions<boolean>>(
  whenTrue: string,
  whenFalse: string,
  options: O,
): Property<boolean, Always<O>> {
  return { ...options, kind: { shape: 'flag', whenTrue, whenFalse } };
}

/** One of a few words. */
export function choice<const W extends string, const O extends PropertyOptions<W>>(
  words: readonly W[],
  options: O,
): Property<W, Always<O>> {
  return { ...options, kind: choiceKind(words) };
}

/** Some of a few words. */
export function choiceList<const O extends ListOptions>(
  words: readonly string[],
  options: O,
): Property<readonly string[], Always<O>> {
  return list(choiceKind(words), options);
}

export function choiceKind(words: readonly string[]): ScalarKind<string> {
  const expects = words.length > 1 ? `${words.slice(0, -1).join(', ')} or ${words.at(-1)}` : (words[0] ?? '');
  return {
    shape: 'scalar',
    name: 'enumeration',
    expects,
    words,
    read: (word) => (words.includes(word) ? { value: word } : { problem: `must be ${expects}` }),
    print: (value) => value,
  };
}

/** `10.1.1.0%5/24` of `10.1.1.0/24`. */
export function inDomain(text: string, routeDomain: number): string {
  if (text.includes('%')) return text;
  const slash = text.indexOf('/');
  return slash < 0 ? `${text}%${routeDomain}` : `${text.slice(0, slash)}%${routeDomain}${text.slice(slash)}`;
}

const addressOrAnyKind: ScalarKind<string> = {
  shape: 'scalar',
  name: 'ip-address',
  expects: 'an IP address, any or any6',
  words: ['any', 'any6'],
  read(word) {
    const address = parseAddressOrAny(word);
    return address === undefined
      ? { problem: 'must be an IP address, any or any6' }
      : { value: formatAddressOrAny(address) };
  },
  // Whatever address it is, it is one of the tunnel's domain.
  inDomain: (word, id) => (word === 'any' || word === 'any6' ? word : inDomain(word, id)),
  print: (value) => value,
};

const addressKind: ScalarKind<string> = {
  shape: 'scalar',
  name: 'ip-address',
  expects: 'an IP address',
  read(word) {
    const address = parseAddress(word);
    return address === undefined ? { problem: 'must be an IP address' } : { value: formatAddress(address) };
  },
  inDomain,
  print: (value) => value,
};

const macKind: ScalarKind<string> = {
  shape: 'scalar',
  name: 'mac-address',
  expects: 'a MAC address',
  read(word) {
    const mac = parseMac(word);
    return mac === undefined ? { problem: 'must be a MAC address' } : { value: formatMac(mac) };
  },
  print: (value) => value,
};

/** `address[%domain]`, or `any` and `any6` for the unspecified address. */
export function addressOrAny<const O extends PropertyOptions<string>>(options: O): Property<string, Always<O>> {
  return { ...options, kind: addressOrAnyKind };
}

/** `address[%domain]`. */
export function address<const O extends PropertyOptions<string>>(options: O): Property<string, Always<O>> {
  return { ...options, kind: addressKind };
}

/** `address[%domain]/length`. */
export function prefix<const O extends PropertyOptions<string>>(options: O): Property<string, Always<O>> {
  const kind: ScalarKind<string> = {
    shape: 'scalar',
    name: 'ip-prefix',
    expects: 'an IP address with a prefix length, as in 10.1.1.1/24',
    read(word) {
      const value = parsePrefix(word);
      if (value !== undefined) return { value: formatPrefix(value) };
      return { problem: 'must be an IP address with a prefix length, as in 10.1.1.1/24' };
    },
    inDomain,
    print: (value) => value,
  };
  return { ...options, kind: kind };
}

export function mac<const O extends PropertyOptions<string>>(options: O): Property<string, Always<O>> {
  return { ...options, kind: macKind };
}

/** The name of an object of one of these types: a full path, or a plain name where the types have such. */
export function reference<const O extends PropertyOptions<string>>(
  targets: readonly ReferenceTarget[],
  options: O,
): Property<string, Always<O>> {
  return { ...options, kind: referenceKind(targets) };
}

export function referenceKind(targets: readonly ReferenceTarget[]): ScalarKind<string> {
  const isPlain = targets.every((target) => target.naming === 'plain');
  const own = targets.length === 1 ? targets[0]!.nameProblem : undefined;
  const problemOf = own ?? (isPlain ? nameProblem : pathProblem);
  return {
    shape: 'scalar',
    name: 'reference',
    expects: `the name of a ${[...new Set(targets.map((target) => target.label))].join(' or ')}`,
    refersTo: targets.map((target) => target.path),
    read(word, folder) {
      const value = isPlain ? word : fullPath(word, folder);
      const problem = problemOf(value);
      return problem === undefined ? { value } : { problem: `must be the name of an object: ${problem}` };
    },
    print: (value, folder) => (isPlain ? value : relativeName(value, folder)),
  };
}

type ListOptions = PropertyOptions<readonly string[]> & { readonly wholes?: readonly string[] };

function list<const O extends ListOptions>(
  item: ScalarKind<string>,
  options: O,
): Property<readonly string[], Always<O>> {
  const { wholes, ...rest } = options;
  const kind: ListKind = wholes === undefined ? { shape: 'list', item } : { shape: 'list', item, wholes };
  return { ...rest, kind } as unknown as Property<readonly string[], Always<O>>;
}

export function addressList<const O extends ListOptions>(options: O): Property<readonly string[], Always<O>> {
  return list(addressKind, options);
}

export function referenceList<const O extends ListOptions>(
  targets: readonly ReferenceTarget[],
  options: O,
): Property<readonly string[], Always<O>> {
  return list(referenceKind(targets), options);
}

/** Words of a form of their own. */
export function patternList<const O extends ListOptions>(
  form: Pick<ScalarKind<string>, 'name' | 'expects' | 'read'> & Partial<Pick<ScalarKind<string>, 'print'>>,
  options: O,
): Property<readonly string[], Always<O>> {
  return list({ shape: 'scalar', print: (value) => value, ...form }, options);
}

type RecordsOptions = PropertyOptions<Readonly<Record<string, never>>>;

/** Sub-objects that are named by an object of one of these types. */
export function recordsByReference<const M extends PropertyMap, const O extends RecordsOptions>(
  targets: readonly ReferenceTarget[],
  properties: M,
  options: O,
): Property<Readonly<Record<string, PropertiesOf<M>>>, Always<O>> {
  return { ...options, kind: { shape: 'records', key: referenceKind(targets), properties } };
}

/** Sub-objects whose names have a form of their own. */
export function recordsByPattern<const M extends PropertyMap, const O extends RecordsOptions>(
  form: Pick<ScalarKind<string>, 'name' | 'expects' | 'read' | 'print' | 'within' | 'inDomain'>,
  properties: M,
  options: O,
): Property<Readonly<Record<string, PropertiesOf<M>>>, Always<O>> {
  return { ...options, kind: { shape: 'records', key: { shape: 'scalar', ...form }, properties } };
}

/** Sub-objects that are named by a MAC address, as many as a forwarding database has. */
export function recordsByMac<const M extends PropertyMap, const O extends PropertyOptions<RecordTable<never>>>(
  properties: M,
  options: O,
): Property<RecordTable<PropertiesOf<M>>, Always<O>> {
  return { ...options, kind: { shape: 'records', key: macKind, properties, isTable: true } };
}
