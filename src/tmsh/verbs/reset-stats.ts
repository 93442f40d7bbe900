// `reset-stats`: counters of objects start at 0 again.

import { objectsOf } from '../../config/configuration.ts';
import { isNear, resolveTarget } from '../arguments.ts';
import type { Verb } from '../verb.ts';
import { resetGtmIquery } from './gtm-iquery.ts';

export const resetStats: Verb = {
  name: 'reset-stats',
  help: 'Set counters of objects to 0.',
  changes: false,
  objects: {
    names: 'many',
    isNameOptional: true,
    properties: 'none',
    async *run({ scanner, backend, session }) {
      const { configuration } = backend;
      const { type, names: named } = resolveTarget(scanner, configuration, session.folder);
      const all = objectsOf(configuration, type).map(({ name }) => name);
      const near = all.filter((name) => isNear(type, name, session.folder, false));
      const names = named ?? (near.length === all.length ? undefined : near);
      const objects = await backend.resetStats(type.path, names);
      if (objects === 0) yield `No ${type.label} has counters.\n`;
    },
  },
  phrases: [resetGtmIquery],
};
