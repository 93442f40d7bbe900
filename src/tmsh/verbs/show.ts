// `show`: state and counters of objects, as the daemons have them, and of the system.

import { resolveTarget } from '../arguments.ts';
import { renderPages } from '../show.ts';
import type { Verb } from '../verb.ts';
import { showRunningConfig } from './list.ts';
import { showSysConfigStatus } from './show-sys-config-status.ts';

export const show: Verb = {
  name: 'show',
  help: 'State and counters of objects and of the system.',
  changes: false,
  objects: {
    names: 'many',
    isNameOptional: true,
    properties: 'none',
    async *run({ scanner, backend, session }) {
      const { type, names } = resolveTarget(scanner, backend.configuration, session.folder);
      const module = type.path.split(' ')[0]!;
      const title = `${module[0]!.toUpperCase()}${module.slice(1)}::${type.label}`;
      yield* renderPages(title, (cursor) => backend.show(type.path, names, cursor), session.folder);
    },
  },
  phrases: [showSysConfigStatus, showRunningConfig],
};
