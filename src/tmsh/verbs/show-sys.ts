// `show sys …`: the program, its processes and the machine.

import type { ShowReply } from '../../ipc/schema.ts';
import { readWords, unexpected } from '../arguments.ts';
import type { SystemTopic } from '../backend.ts';
import { fieldPages } from '../field-format.ts';
import { readOptions } from '../options.ts';
import { renderPages } from '../show.ts';
import type { OptionWord, Phrase } from '../verb.ts';
import { SERVICE } from './service.ts';

type Topic = { readonly title: string; readonly help: string; readonly operand?: Phrase['operand'] };

const TOPICS: Readonly<Record<SystemTopic, Topic>> = {
  clock: { title: 'Sys::Clock', help: 'The time, and for how long the program and the machine have run.' },
  hardware: { title: 'Sys::Hardware', help: 'Processors, memory and kernel of the machine.' },
  memory: { title: 'Sys::Memory', help: 'What the machine has, and what each daemon uses.' },
  service: {
    title: 'Sys::Service',
    help: 'The daemons: process, memory, restarts and last error.',
    operand: { ...SERVICE, isOptional: true },
  },
  version: { title: 'Sys::Version', help: 'Versions of the program and of what it runs on.' },
};

const OPTIONS: readonly OptionWord[] = [
  { word: 'field-fmt', help: 'Names and values in braces, for programs.' },
  { word: 'raw', help: 'Numbers in full, as without it.' },
];

export const SHOW_SYS: readonly Phrase[] = Object.entries(TOPICS).map(([topic, { title, help, operand }]): Phrase => ({
  words: ['sys', topic],
  help,
  ...(operand === undefined ? {} : { operand }),
  options: OPTIONS,
  async *run({ scanner, backend }) {
    const next = scanner.peek();
    const isNamed = operand !== undefined && next !== undefined && !OPTIONS.some(({ word }) => word === next.text);
    const names = isNamed ? readWords(scanner, operand.help) : [];
    const wrong = names.find(({ text }) => operand?.words?.includes(text) !== true);
    if (wrong !== undefined) throw unexpected(wrong, `Expected one of: ${operand?.words?.join(', ')}.`);
    const isFields = readOptions(scanner, `show sys ${topic}`, OPTIONS).has('field-fmt');
    const isShown = (name: string): boolean =>
      names.length === 0 || names.some(({ text }) => text === name || text === 'all');
    const page = async (): Promise<ShowReply> => {
      const reply = await backend.system(topic as SystemTopic);
      return { ...reply, rows: reply.rows.filter(({ name }) => isShown(name)) };
    };
    yield* isFields ? fieldPages(`sys ${topic}`, page, '') : renderPages(title, page);
  },
}));
