// `show`: state and counters of objects, as the daemons have them, and of the system.

import { objectKey } from '../../config/change.ts';
import type { ShowReply, ShowRow } from '../../ipc/schema.ts';
import { isNear, resolveTarget } from '../arguments.ts';
import { fieldPages } from '../field-format.ts';
import { renderPages } from '../show.ts';
import { SHOW_SYS } from './show-sys.ts';
import type { OptionWord, Verb } from '../verb.ts';
import { showGtmPersist } from './gtm-persist.ts';
import { showIpsecSa, showIpsecStat } from './ipsec-sa.ts';
import { showRunningConfig } from './list.ts';
import { showSysConfigStatus } from './show-sys-config-status.ts';
import { showSysConfigUnknown } from './show-sys-config-unknown.ts';

const OPTIONS: readonly OptionWord[] = [
  { word: 'all-properties', help: 'Everything that is known, as without it.' },
  { word: 'field-fmt', help: 'Names and values in braces, for programs.' },
  { word: 'raw', help: 'Numbers in full, as without it.' },
  { word: 'recursive', help: 'Objects of folders below as well.' },
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
    areOptionsAnywhere: true,
    async *run({ scanner, backend, session }) {
      const { configuration } = backend;
      const { folder } = session;
      const { type, names, options } = resolveTarget(scanner, configuration, folder, OPTIONS);
      const isRecursive = options.has('recursive');
      // Rows that are no objects, as tables of a whole route domain, lie in no folder.
      const isShown = ({ name }: ShowRow): boolean =>
        names !== undefined ||
        isNear(type, name, folder, isRecursive) ||
        !configuration.objects.has(objectKey({ type: type.path, name }));
      const page = async (cursor?: string): Promise<ShowReply> => {
        const reply = await backend.show(type.path, names, cursor);
        return { ...reply, rows: reply.rows.filter(isShown) };
      };
      if (options.has('field-fmt')) {
        yield* fieldPages(type.path, page, session.folder);
        return;
      }
      const module = type.path.split(' ')[0]!;
      const title = `${module[0]!.toUpperCase()}${module.slice(1)}::${type.label}`;
      yield* renderPages(title, page, session.folder);
    },
  },
  phrases: [
    showSysConfigStatus,
    showSysConfigUnknown,
    ...SHOW_SYS,
    showRunningConfig,
    showIpsecSa,
    showIpsecStat,
    showGtmPersist,
  ],
};
