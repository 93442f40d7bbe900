// `list`: objects as text that `load` reads.

import { objectKey } from '../../config/change.ts';
import { objectsOf } from '../../config/configuration.ts';
import type { AnyObjectType } from '../../config/object-type.ts';
import { printObject } from '../../config/print.ts';
import type { PrintOptions } from '../../config/print.ts';
import { vocabularyOf } from '../../config/read-properties.ts';
import type { Token } from '../../config/scanner.ts';
import { namesObject, readTypes, resolveNames, unexpected } from '../arguments.ts';
import type { Command, OptionWord, Output, Phrase, Verb } from '../verb.ts';
import { listTransaction } from './cli-transaction.ts';
import { listSysConfigHistory } from './list-sys-config-history.ts';

const PRINT_OPTIONS: Readonly<Record<string, PrintOptions>> = {
  'all-properties': { allProperties: true },
  'non-default-properties': {},
  'one-line': { oneLine: true },
  recursive: {},
  'without-extensions': { withoutExtensions: true },
};

const OPTIONS: readonly OptionWord[] = [
  { word: 'all-properties', help: 'Every property with its value.' },
  { word: 'non-default-properties', help: 'Only properties that were set, as without it.' },
  { word: 'one-line', help: 'Each object on one line.' },
  { word: 'recursive', help: 'Objects of folders below as well.' },
  { word: 'without-extensions', help: 'Without what no BIG-IP knows.' },
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
    run: listObjects,
  },
  phrases: [listTransaction, listSysConfigHistory],
};

/** `show running-config`: the same by another name. */
export const showRunningConfig: Phrase = {
  words: ['running-config'],
  help: 'The running configuration as text that load reads: the same as list.',
  operand: { kind: 'text', help: 'what list takes', isOptional: true },
  run: listObjects,
};

// eslint-disable-next-line @typescript-eslint/require-await
export async function* listObjects({ scanner, backend, session }: Command): Output {
  const { folder } = session;
  const types = readTypes(scanner, (word) => Object.hasOwn(PRINT_OPTIONS, word));
  const { configuration } = backend;
  const single = types.length === 1 ? types[0] : undefined;
  let options: PrintOptions = { folder };
  let names: Set<string> | undefined;
  const only: string[] = [];
  const addName = (type: AnyObjectType, token: Token) => {
    names ??= new Set();
    for (const name of resolveNames(configuration, type, token, folder)) names.add(name);
  };
  for (let token = scanner.next(); token !== undefined; token = scanner.next()) {
    const option = PRINT_OPTIONS[token.text];
    if (option !== undefined && Object.hasOwn(PRINT_OPTIONS, token.text)) {
      options = { ...options, ...option };
    } else if (token.kind === 'open' && single !== undefined) {
      for (let inner = scanner.next(); inner?.kind === 'word'; inner = scanner.next()) addName(single, inner);
    } else if (token.kind !== 'word' || single === undefined) {
      throw unexpected(token, `list takes: ${Object.keys(PRINT_OPTIONS).join(', ')}`);
    } else {
      const property = vocabularyOf(single.properties).get(token.text);
      const isName = token.text === 'all' || single.naming !== 'singleton';
      if (property !== undefined && !(isName && namesObject(configuration, single, token.text, folder))) {
        only.push(property.name);
      } else {
        addName(single, token);
      }
    }
  }
  if (only.length > 0) options = { ...options, only };
  let chunk = '';
  for (const type of types) {
    for (const object of objectsOf(configuration, type)) {
      if (names?.has(object.name) === false) continue;
      const stored = configuration.objects.get(objectKey(object))!;
      chunk += printObject(configuration, stored, options);
      if (chunk.length < CHUNK_CHARACTERS) continue;
      yield chunk;
      chunk = '';
    }
  }
  if (chunk !== '') yield chunk;
}
