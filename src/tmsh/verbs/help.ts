// `help`: the verbs, what one of them takes, or what an object type has.

import { OBJECT_TYPES, findObjectType } from '../../config/object-types.ts';
import type { AnyObjectType } from '../../config/object-type.ts';
import { readTypes, readWord, unexpected } from '../arguments.ts';
import type { Objects, Operand, Phrase, Verb } from '../verb.ts';
import type { Scanner } from '../../config/scanner.ts';

/** `verbs` is asked when somebody wants help: the table holds this verb too. */
export function help(verbs: () => readonly Verb[]): Verb {
  return {
    name: 'help',
    help: 'Say what can be typed.',
    changes: false,
    phrases: [
      {
        words: [],
        help: 'The verbs, what a verb takes, or what an object type has.',
        operand: { kind: 'topic', help: 'a verb or an object type', isOptional: true },
        // eslint-disable-next-line @typescript-eslint/require-await
        async *run({ scanner }) {
          const first = scanner.peek();
          if (first === undefined) {
            yield table(verbs().map((verb) => [verb.name, verb.help]));
            yield '\nhelp VERB and help MODULE COMPONENT say more.\n';
            return;
          }
          const verb = verbs().find(({ name }) => name === first.text);
          if (verb === undefined) yield* typeHelp(scanner, verbs());
          else yield* verbHelp(verb, scanner);
        },
      },
    ],
  };
}

function* verbHelp(verb: Verb, scanner: Scanner): Generator<string> {
  scanner.next();
  const rest = scanner.peek();
  if (rest !== undefined) {
    const types = readTypes(scanner);
    for (const type of types) yield typeText(type);
    return;
  }
  yield `${verb.name}: ${verb.help}\n\n`;
  const lines = (verb.phrases ?? []).map((phrase): [string, string] => [phraseForm(verb, phrase), phrase.help]);
  if (verb.objects !== undefined) lines.push([objectsForm(verb, verb.objects), '']);
  yield table(lines);
  const options = [...(verb.phrases ?? []).flatMap((phrase) => phrase.options ?? []), ...(verb.objects?.options ?? [])];
  if (options.length > 0) yield `\n${table(options.map(({ word, help: text }) => [word, text]))}`;
  const accepted = OBJECT_TYPES.filter((type) => verb.objects?.accepts?.(type) ?? verb.objects !== undefined);
  if (accepted.length > 0) yield `\n${table(accepted.map((type) => [type.path, type.help]))}`;
}

function* typeHelp(scanner: Scanner, verbs: readonly Verb[]): Generator<string> {
  const first = scanner.peek()!;
  if (!OBJECT_TYPES.some((type) => type.path.split(' ')[0] === first.text.replace(/^\//, ''))) {
    scanner.next();
    throw unexpected(first, `help takes a module, or one of: ${verbs.map(({ name }) => name).join(', ')}.`);
  }
  const types = readTypes(scanner);
  if (scanner.peek() !== undefined) throw unexpected(readWord(scanner, 'a component'));
  if (types.length === 1) yield typeText(types[0]!);
  else yield table(types.map((type) => [type.path, type.help]));
}

function typeText(type: AnyObjectType): string {
  const { properties } = findObjectType(type.path)!;
  const rows = Object.entries(properties).map(([name, property]): [string, string] => {
    const { kind } = property;
    return kind.shape === 'flag' ? [`${kind.whenTrue} | ${kind.whenFalse}`, property.help] : [name, property.help];
  });
  return `${type.path}: ${type.help}\n\n${table(rows)}`;
}

export function phraseForm(verb: Verb, { words, operand, options = [], like }: Phrase): string {
  const parts = [verb.name, ...words, ...(operand === undefined ? [] : [operandForm(operand)])];
  if (like !== undefined) parts.push(`[as behind ${like}]`);
  for (const { word, value } of options) parts.push(`[${word}${value === undefined ? '' : ` ${operandForm(value)}`}]`);
  return parts.join(' ');
}

export function objectsForm(verb: Verb, objects: Objects): string {
  const parts = [verb.name, 'MODULE COMPONENT', objects.isNameOptional === true ? '[NAME]' : 'NAME'];
  if (objects.operand !== undefined) parts.push(operandForm(objects.operand));
  if (objects.properties === 'edit') parts.push('{ PROPERTY VALUE … }');
  if (objects.properties === 'select') parts.push('[PROPERTY …]');
  if (objects.options !== undefined) parts.push('[OPTION …]');
  return parts.join(' ');
}

export function operandForm({ kind, words, isOptional }: Operand): string {
  const text = words === undefined ? kind.toUpperCase() : words.join(' | ');
  return isOptional === true ? `[${text}]` : text;
}

/** Two columns. */
function table(rows: readonly (readonly [string, string])[]): string {
  const width = Math.min(44, Math.max(...rows.map(([left]) => left.length)));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`.trimEnd() + '\n').join('');
}
