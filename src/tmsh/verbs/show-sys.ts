// `show sys …`: the program, its processes and the machine.

import { expectEnd } from '../arguments.ts';
import type { SystemTopic } from '../backend.ts';
import { renderPages } from '../show.ts';
import type { Phrase } from '../verb.ts';

const TOPICS: Readonly<Record<SystemTopic, { title: string; help: string }>> = {
  clock: { title: 'Sys::Clock', help: 'The time, and for how long the program and the machine have run.' },
  hardware: { title: 'Sys::Hardware', help: 'Processors, memory and kernel of the machine.' },
  memory: { title: 'Sys::Memory', help: 'What the machine has, and what each daemon uses.' },
  service: { title: 'Sys::Service', help: 'The daemons: process, memory, restarts and last error.' },
  version: { title: 'Sys::Version', help: 'Versions of the program and of what it runs on.' },
};

export const SHOW_SYS: readonly Phrase[] = Object.entries(TOPICS).map(([topic, { title, help }]): Phrase => ({
  words: ['sys', topic],
  help,
  async *run({ scanner, backend }) {
    expectEnd(scanner);
    yield* renderPages(title, () => backend.system(topic as SystemTopic));
  },
}));
