// `show`: state and counters of objects, as the daemons have them, and of the system.

import { resolveTarget } from '../arguments.ts';
import { fieldPages } from '../field-format.ts';
import { readOptions } from '../options.ts';
import { renderPages } from '../show.ts';
import { SHOW_SYS } from './show-sys.ts';
import type { OptionWord, Verb } from '../verb.ts';
import { showRunningConfig } from './list.ts';
import { showSysConfigStatus } from './show-sys-config-status.ts';
import { showSysConfigUnknown } from './show-sys-config-unknown.ts';

const OPTIONS: readonly OptionWord[] = [
  { word: 'all-properties', help: 'Everything that is known, as without it.' },
  { word: 'field-fmt', help: 'Names and values in braces, for programs.' },
  { word: 'raw', help: 'Numbers in full, as without it.' },
  { word: 'recursive', help: 'Objects of folders below as well, as without it.' },
];

export const show: Verb = {
  name: 'show',
  help: 'State and counters of objects and of the system.',
  changes: false,
  objects: {
    names: 'many',
    isNameOptional: true,
    properties: 'none',
    options: OPTIONS,
    async *run({ scanner, backend, session }) {
      const { type, names } = resolveTarget(scanner, backend.configuration, session.folder, OPTIONS);
      const isFields = readOptions(scanner, `show ${type.path}`, OPTIONS).has('field-fmt');
      const page = (cursor?: string) => backend.show(type.path, names, cursor);
      if (isFields) {
        yield* fieldPages(type.path, page, session.folder);
        return;
      }
      const module = type.path.split(' ')[0]!;
      const title = `${module[0]!.toUpperCase()}${module.slice(1)}::${type.label}`;
      yield* renderPages(title, page, session.folder);
    },
  },
  phrases: [showSysConfigStatus, showSysConfigUnknown, ...SHOW_SYS, showRunningConfig],
};
