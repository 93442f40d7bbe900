// `list sys config history`: the versions that can be loaded again, the newest first, below what the file holds now.

import type { ShowReply } from '../../ipc/schema.ts';
import type { Save } from '../../store/version-store.ts';
import type { ConfigOwner } from './config-owner.ts';

const COLUMNS = ['Version', 'Saved', 'By', 'With', 'Octets', 'Objects', 'Changed'];

export function historyReply({ versions, current }: ConfigOwner['history']): ShowReply {
  const rows = versions.map((version) => [version.number, ...cells(version)]).reverse();
  if (current !== undefined) rows.unshift(['current', ...cells(current)]);
  return rows.length === 0 ? { rows: [] } : { rows: [{ name: '', table: { columns: COLUMNS, rows } }] };
}

function cells({ savedAt, user, program, octets, objects, changed }: Save): (string | number)[] {
  return [savedAt.replace(/\.\d+Z$/, 'Z'), user ?? '-', program ?? '-', octets, objects ?? '-', changed ?? '-'];
}
