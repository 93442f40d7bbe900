// `list`: objects as text that `load` reads.

import { objectKey } from '../../config/change.ts';
import { objectsOf } from '../../config/configuration.ts';
import type { Configuration } from '../../config/configuration.ts';
import { LeftOut } from '../../config/left-out.ts';
import type { AnyObjectType } from '../../config/object-type.ts';
import { OBJECT_TYPES } from '../../config/object-types.ts';
import { printObject, printUnknown } from '../../config/print.ts';
import type { PrintOptions } from '../../config/print.ts';
import { vocabularyOf } from '../../config/read-properties.ts';
import type { Token } from '../../config/scanner.ts';
import { FIRST, placesOf } from '../../config/unknown.ts';
import type { UnknownObject } from '../../config/unknown.ts';
import { ConfigSyntaxError } from '../../core/errors.ts';
import { ALL_WORDS, isNear, namesObject, readTypes, resolveNames, takeName, unexpected } from '../arguments.ts';
import type { Command, OptionWord, Output, Phrase, Verb } from '../verb.ts';
import { listTransaction } from './cli-transaction.ts';
import { listCmDevice } from './cm.ts';
import { listSysConfigHistory } from './list-sys-config-history.ts';

const PRINT_OPTIONS: Readonly<Record<string, PrintOptions>> = {
  'all-properties': { allProperties: true },
  'non-default-properties': {},
  'one-line': { oneLine: true },
  partition: { withPartition: true },
  recursive: {},
  tmos: { withoutExtensions: true },
  'without-extensions': { withoutExtensions: true },
};

const OPTIONS: readonly OptionWord[] = [
  { word: 'all-properties', help: 'Every property with its value.' },
  { word: 'non-default-properties', help: 'Only properties that were set, as without it.' },
  { word: 'one-line', help: 'Each object on one line.' },
  { word: 'partition', help: 'The partition that each object is in, instead of its properties.' },
  { word: 'recursive', help: 'Objects of folders below as well.' },
  { word: 'tmos', help: 'Without what no BIG-IP knows, to be pasted into one; says what is left out.' },
  { word: 'without-extensions', help: 'The same as tmos.' },
];

/** Characters that are sent at once. */
const CHUNK_CHARACTERS = 64 * 1024;

export const list: Verb = {
  name: 'list',
  help: 'Print objects as text that load reads.',
  changes: false,
  objects: {
    takesModules: true,
    names: 'many',
    isNameOptional: true,
    properties: 'select',
    options: OPTIONS,
    areOptionsAnywhere: true,
    run: listObjects,
  },
  phrases: [listTransaction, listSysConfigHistory, listCmDevice],
};

/** `show running-config`: the same by another name. */
export const showRunningConfig: Phrase = {
  words: ['running-config'],
  help: 'The running configuration as text that load reads: the same as list.',
  like: 'list',
  run: listObjects,
};

// eslint-disable-next-line @typescript-eslint/require-await
export async function* listObjects({ scanner, backend, session }: Command): Output {
  const { folder } = session;
  let options: PrintOptions = { folder };
  let isRecursive = false;
  const takesOption = ({ text, isQuoted }: Token): boolean => {
    if (isQuoted || !Object.hasOwn(PRINT_OPTIONS, text)) return false;
    options = { ...options, ...PRINT_OPTIONS[text] };
    isRecursive ||= text === 'recursive';
    return true;
  };
  const types = readTypes(scanner, (token) => ALL_WORDS.includes(token.text) || takesOption(token));
  const { configuration } = backend;
  const single = types.length === 1 ? types[0] : undefined;
  const wanted: Token[] = [];
  const only: string[] = [];
  for (let token = scanner.next(); token !== undefined; token = scanner.next()) {
    if (takesOption(token)) continue;
    if (token.kind === 'open' && single !== undefined) {
      const vocabulary = vocabularyOf(single.properties);
      let inner = scanner.next();
      for (; inner?.kind === 'word'; inner = scanner.next()) {
        const property = vocabulary.get(inner.text);
        const name = property === undefined ? takeName(scanner, inner, single) : inner;
        if (property === undefined || namesObject(configuration, single, inner.text, folder)) wanted.push(name);
        else only.push(property.name);
      }
      if (inner === undefined) throw new ConfigSyntaxError('this brace is never closed', token.position, 'Add a }.');
      if (inner.kind === 'open') throw unexpected(inner);
    } else if (token.kind !== 'word' || single === undefined) {
      throw unexpected(token, `list takes: ${Object.keys(PRINT_OPTIONS).join(', ')}`);
    } else {
      const property = vocabularyOf(single.properties).get(token.text);
      const isName = token.text === 'all' || single.naming !== 'singleton';
      if (property !== undefined && !(isName && namesObject(configuration, single, token.text, folder))) {
        only.push(property.name);
      } else {
        wanted.push(takeName(scanner, token, single));
      }
    }
  }
  const names =
    single === undefined || wanted.length === 0
      ? undefined
      : new Set(wanted.flatMap((token) => resolveNames(configuration, single, token, folder, isRecursive)));
  if (only.length > 0 || options.withPartition === true) options = { ...options, only };
  const isForBigIp = options.withoutExtensions === true;
  const objects = types
    .filter((type) => !isForBigIp || type.extension !== true)
    .flatMap((type) =>
      objectsOf(configuration, type).filter(({ name }) =>
        names === undefined ? isNear(type, name, folder, isRecursive) : names.has(name),
      ),
    );
  const unknown = single === undefined ? unknownOf(configuration, types) : [];
  const keys = new Set(unknown.length === 0 ? [] : objects.map(objectKey));
  const places = placesOf(unknown, (key) => keys.has(key));
  const leftOut = new LeftOut();
  let chunk = [...printUnknown(places.get(FIRST))].join('');
  for (const object of objects) {
    const stored = configuration.objects.get(objectKey(object))!;
    if (isForBigIp) leftOut.note(stored);
    chunk += printObject(configuration, stored, options);
    for (const text of printUnknown(places.get(objectKey(object)))) chunk += text;
    if (chunk.length < CHUNK_CHARACTERS) continue;
    yield chunk;
    chunk = '';
  }
  for (const text of printUnknown(places.get(undefined))) chunk += text;
  if (isForBigIp) chunk += leftOut.comment();
  if (chunk !== '') yield chunk;
}

/** Unknown objects of a module that is listed whole. */
function unknownOf({ unknown }: Configuration, types: readonly AnyObjectType[]): readonly UnknownObject[] {
  if (types.length === OBJECT_TYPES.length) return unknown;
  const modules = new Set(types.map((type) => type.path.slice(0, type.path.indexOf(' '))));
  return unknown.filter(({ header }) => modules.has(header.slice(0, header.indexOf(' '))));
}
