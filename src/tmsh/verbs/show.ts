// `show`: state and counters of objects, as the daemons have them, and of the system.

import { objectKey } from '../../config/change.ts';
import type { ShowReply, ShowRow } from '../../ipc/schema.ts';
import type { AnyObjectType } from '../../config/object-type.ts';
import { isNear, resolveTargets, type Target } from '../arguments.ts';
import type { TmshBackend } from '../backend.ts';
import { fieldPages } from '../field-format.ts';
import { renderPages } from '../show.ts';
import { showCmDevice, showCmSyncStatus } from './cm.ts';
import { SHOW_SYS } from './show-sys.ts';
import type { OptionWord, Verb } from '../verb.ts';
import { showGtmIquery } from './gtm-iquery.ts';
import { SHOW_GTM_PATHS } from './gtm-path.ts';
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
      const targets = resolveTargets(scanner, backend.configuration, session.folder, OPTIONS);
      let isEmpty = true;
      for (const target of targets) {
        for await (const part of showTarget(target, backend, session.folder, targets.length === 1)) {
          isEmpty = false;
          yield part;
        }
      }
      if (isEmpty && targets.length > 1) yield `${titleOf(targets[0]!.type)}: no records\n`;
    },
  },
  phrases: [
    showSysConfigStatus,
    showSysConfigUnknown,
    ...SHOW_SYS,
    showCmDevice,
    showCmSyncStatus,
    showRunningConfig,
    showIpsecSa,
    showIpsecStat,
    showGtmPersist,
    ...SHOW_GTM_PATHS,
    showGtmIquery,
  ],
};

async function* showTarget(
  { type, names, options }: Target,
  backend: TmshBackend,
  folder: string,
  saysNone: boolean,
): AsyncGenerator<string, void> {
  const isRecursive = options.has('recursive');
  // Rows that are no objects, as tables of a whole route domain, lie in no folder.
  const isShown = ({ name }: ShowRow): boolean =>
    names !== undefined ||
    isNear(type, name, folder, isRecursive) ||
    !backend.configuration.objects.has(objectKey({ type: type.path, name }));
  const page = async (cursor?: string): Promise<ShowReply> => {
    const reply = await backend.show(type.path, names, cursor);
    return { ...reply, rows: reply.rows.filter(isShown) };
  };
  if (options.has('field-fmt')) yield* fieldPages(type.path, page, folder);
  else yield* renderPages(titleOf(type), page, folder, saysNone ? undefined : '');
}

function titleOf({ path, label }: AnyObjectType): string {
  const module = path.split(' ')[0]!;
  return `${module[0]!.toUpperCase()}${module.slice(1)}::${label}`;
}
