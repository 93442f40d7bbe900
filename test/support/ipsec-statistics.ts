// What a data plane says of IPsec, made up: the two associations and the traffic that the manual prints.

import type { IpsecStatistics } from '../../src/assembly/dataplaned/ipsec-service.ts';
import type { AssociationRow, IpsecTotals } from '../../src/ipc/ipsec-schema.ts';

const OUT: AssociationRow = {
  spi: 0x5e52a1db,
  source: '165.160.15.20',
  destination: '10.100.20.3',
  direction: 'out',
  protocol: 'esp',
  mode: 'tunnel',
  state: 'mature',
  worker: 5,
  policyId: 0x9b0a,
  policy: '/Common/codec',
  selector: '/Common/ts_codec',
  selectorSource: '10.1.0.0/16',
  selectorDestination: '10.2.1.1/32',
  authAlgorithm: 'aes-gmac128',
  encryptAlgorithm: 'null',
  packets: 1204,
  octets: 307_488,
  hardLifetime: { seconds: 94.7 },
  softLifetime: { seconds: 34.2 },
  replayWindow: 64,
  extendedSequence: false,
  lastUseMs: new Date(2012, 11, 13, 10, 42).getTime(),
  createdMs: new Date(2012, 11, 13, 10, 39).getTime(),
};

export const MANUAL_ROWS: readonly AssociationRow[] = [
  { ...OUT, spi: 0x7b438626, source: OUT.destination, destination: OUT.source, direction: 'in', worker: 6 },
  OUT,
];

export const MANUAL_TOTALS: readonly IpsecTotals[] = [
  { policyId: 0, mode: 'transport', packetsIn: 0, octetsIn: 0, packetsOut: 0, octetsOut: 0 },
  {
    policyId: 1,
    mode: 'tunnel',
    packetsIn: 353_912,
    octetsIn: 252_401_000,
    packetsOut: 24_861,
    octetsOut: 1_812_345,
  },
];

export class FakeIpsecStatistics implements IpsecStatistics {
  rows: AssociationRow[];
  readonly removed: AssociationRow[] = [];

  constructor(rows: readonly AssociationRow[] = MANUAL_ROWS) {
    this.rows = [...rows];
  }

  associations(): readonly AssociationRow[] {
    return this.rows;
  }

  remove(associations: readonly AssociationRow[]): Promise<void> {
    this.removed.push(...associations);
    this.rows = this.rows.filter((row) => !associations.includes(row));
    return Promise.resolve();
  }

  totals(): readonly IpsecTotals[] {
    return MANUAL_TOTALS;
  }
}

/** A data plane without IPsec. */
export const NO_ASSOCIATIONS: IpsecStatistics = {
  associations: () => [],
  remove: () => Promise.resolve(),
  totals: () => [],
};
