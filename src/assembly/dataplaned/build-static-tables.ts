// Static stations of the model: the tables of records, and where the stations of each record live.

import { FDB_ENTRIES, MAX_STATIC_ENTRIES } from '../../bridge/fdb.ts';
import { type AddressWords, parseAddress } from '../../core/address.ts';
import { kept } from '../../core/kept.ts';
import type { ConfigView, TunnelFdb, VlanFdb } from './config-view.ts';
import type { Model, StaticTableModel } from './model.ts';

type TunnelTable = TunnelFdb['properties']['records'];

/** Adds the tables to a model that has its members. */
export function addStaticTables(view: ConfigView, model: Model): void {
  const { tunnelMembers, interfaceMembers, domainOf, staticTables } = model;
  const most = Math.min(MAX_STATIC_ENTRIES, FDB_ENTRIES - model.learnedLimit);
  let entries = 0;
  const add = (fdb: TunnelFdb | VlanFdb, make: (domain: string) => StaticTableModel): void => {
    const { size } = fdb.properties.records;
    const domain = domainOf.get(fdb.name);
    if (domain === undefined || size === 0) return;
    if (entries + size > most) {
      const limit = `${most} beside an l2-cache-limit of ${model.learnedLimit}`;
      const reason = `with its ${size} records there would be more than ${limit}`;
      model.failures.push({ object: `${fdb.type} ${fdb.name}`, reason });
      return;
    }
    entries += size;
    staticTables.set(keyOf(fdb, domain), make(domain));
  };
  for (const fdb of view.tunnelFdbs.values()) {
    if (tunnelMembers.has(fdb.name)) add(fdb, (domain) => tunnelTable(fdb, domain));
  }
  for (const fdb of view.vlanFdbs.values()) {
    const interfaces = new Set(fdb.properties.records.contents.map((record) => record.interface ?? ''));
    const present = [...interfaces].filter((name) => interfaceMembers.has(`${fdb.name} ${name}`));
    add(fdb, (domain) => vlanTable(fdb, domain, ...present));
  }
}

/** Made once: long names by the thousand take their time. */
const keyOf = kept(({ type, name }: TunnelFdb | VlanFdb, domain: string): string => `${domain} ${type} ${name}`);

const tunnelTable = kept(({ name, properties: { records: table } }: TunnelFdb, domain: string): StaticTableModel => {
  const targets = endpointsOf(table).map((remote) => (remote === undefined ? undefined : { member: name, remote }));
  return { domain, table, targets };
});

/** `present`: interfaces of the VLAN that carry frames. */
const vlanTable = kept(
  ({ name, properties: { records: table } }: VlanFdb, domain: string, ...present: string[]): StaticTableModel => {
    const targets = table.contents.map((record) =>
      record.interface !== undefined && present.includes(record.interface)
        ? { member: `${name} ${record.interface}`, remote: undefined }
        : undefined,
    );
    return { domain, table, targets };
  },
);

/** The endpoint of each content of a table. */
const endpointsOf = kept((table: TunnelTable): readonly (AddressWords | undefined)[] =>
  table.contents.map(({ endpoint }) => (endpoint === undefined ? undefined : parseAddress(endpoint)?.words)),
);
