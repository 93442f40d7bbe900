// `reset-stats`: counters of objects start at 0 again.

import { resolveTarget } from '../arguments.ts';
import type { Verb } from '../verb.ts';

export const resetStats: Verb = {
  name: 'reset-stats',
  help: 'Set counters of objects to 0.',
  changes: false,
  objects: {
    names: 'many',
    isNameOptional: true,
    properties: 'none',
    async *run({ scanner, backend, session }) {
      const { type, names } = resolveTarget(scanner, backend.configuration, session.folder);
      const objects = await backend.resetStats(type.path, names);
      if (objects === 0) yield `No ${type.label} has counters.\n`;
    },
  },
};
