// What persistence remembers, as it is shown: clients with the member that a wide IP sends them to again.

import { formatBareAddress, type IpFamily } from '../../core/address.ts';
import type { CompiledWideIps } from '../../gtm/compile-wide-ips.ts';
import type { PersistEntry } from '../../gtm/persist-table.ts';
import { MEMBER_NUMBERS, MemberField, WIDE_IP_NUMBERS, WideIpField } from '../../gtm/tables.ts';
import type { ShowReply } from '../../ipc/schema.ts';
import { tablePage } from '../show-page.ts';

export const PERSIST_TYPE = 'gtm persist';

const COLUMNS = ['Wide IP', 'Client', 'Pool', 'Member', 'Seconds left'];

/** A page of entries, of which those are left out whose wide IP or member is gone. */
export function persistPage(
  { index, tables }: CompiledWideIps,
  entries: readonly PersistEntry[],
  cursor?: string,
): ShowReply {
  const wideIps = new Map(
    index.wideIps.map(({ wideIp }, number) => {
      const at = number * WIDE_IP_NUMBERS;
      const key = keyText(tables.wideIps[at + WideIpField.key]!, tables.wideIps[at + WideIpField.keyMore]!);
      return [key, `${wideIp.type} ${wideIp.name}`];
    }),
  );
  const members = new Map(
    index.members.map(({ pool, member }, number) => {
      const at = number * MEMBER_NUMBERS;
      const key = keyText(tables.members[at + MemberField.key]!, tables.members[at + MemberField.keyMore]!);
      return [key, [`${index.pools[pool]!.pool.type} ${index.pools[pool]!.pool.name}`, member.name] as const];
    }),
  );
  const rows = entries.flatMap((entry) => {
    const wideIp = wideIps.get(keyText(entry.key, entry.keyMore));
    const member = members.get(keyText(entry.memberKey, entry.memberKeyMore));
    if (wideIp === undefined || member === undefined) return [];
    return [[wideIp, clientText(entry), ...member, entry.secondsLeft]];
  });
  return tablePage('clients', COLUMNS, rows, cursor);
}

const keyText = (key: number, more: number): string => `${key} ${more}`;

/** The words of IPv4 stand in front here, and at the end in an address. */
function clientText({ family, address }: PersistEntry): string {
  const [a, b, c, d] = [address[0]!, address[1]!, address[2]!, address[3]!];
  const words = family === 4 ? ([0, 0, 0, a] as const) : ([a, b, c, d] as const);
  return formatBareAddress({ family: family as IpFamily, words, routeDomain: 0 });
}
