// The page of tmsh: every verb with what it takes.

import { OBJECT_TYPES } from '../config/object-types.ts';
import type { Operand, OptionWord, Verb } from '../tmsh/verb.ts';
import { VERBS } from '../tmsh/verbs.ts';
import { objectsForm, operandForm, phraseForm } from '../tmsh/verbs/help.ts';
import { code, fenced, page, plain, table } from './markdown.ts';
import { pageOfType } from './object-page.ts';

export function tmshPage(): string {
  return page(
    '# tmsh',
    'A command is a verb and what follows it: an object type of this manual with names and properties, or fixed words. Words ' +
      'in capitals stand for something, square brackets are around what may be left out, and options stand in any order.',
    fenced('sh', "wideplane tmsh -c 'show net tunnels tunnel'"),
    ...VERBS.flatMap(verbSection),
  );
}

function verbSection(verb: Verb): string[] {
  const { name, help, changes, objects, phrases = [] } = verb;
  const forms = phrases.map((phrase) => [code(phraseForm(verb, phrase)), plain(phrase.help)]);
  if (objects !== undefined) forms.unshift([code(objectsForm(verb, objects)), plain(help)]);
  const options = [
    ...phrases.flatMap((phrase) => [...operandRows(phrase.operand), ...optionRows(phrase.options)]),
    ...operandRows(objects?.operand),
    ...optionRows(objects?.options),
  ];
  const sections = [`## ${name}`, `${plain(help)}${changes ? ' The change stands in the audit log.' : ''}`];
  sections.push(table(['Command', 'What it does'], forms));
  if (options.length > 0) sections.push(table(['Word', 'Meaning'], options));
  const types = OBJECT_TYPES.filter((type) => objects?.accepts?.(type) ?? false);
  if (types.length > 0) {
    sections.push(`Object types: ${types.map(({ path }) => `[${path}](${pageOfType(path)})`).join(', ')}.`);
  }
  return sections;
}

const operandRows = (operand: Operand | undefined): string[][] =>
  operand === undefined ? [] : [[code(operandForm(operand)), plain(operand.help)]];

const optionRows = (options: readonly OptionWord[] = []): string[][] =>
  options.map(({ word, help, value }) => [
    code(value === undefined ? word : `${word} ${operandForm(value)}`),
    plain(help),
  ]);
