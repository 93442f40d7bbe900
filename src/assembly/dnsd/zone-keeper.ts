import type { GtmZone } from '../../config/types/gtm-zone.ts';
import { originOf } from '../../config/zone-names.ts';
import { zoneOfRecords } from '../../config/zone-records.ts';
import type { ZoneTable } from '../../dns/zone-table.ts';
import type { ApplyFailure } from '../../ipc/schema.ts';
import type { Log } from '../../core/log.ts';
import { buildZoneTable } from '../../dns/zone-builder.ts';
export class ZoneKeeper {
  constructor(_o: { directory: string; log: Log }) {}
  async want(zones: readonly GtmZone[]): Promise<readonly ZoneTable[]> {
    return zones.flatMap((zone) => {
      const origin = originOf(zone.name);
      if (typeof origin === 'string') return [];
      const made = zoneOfRecords(origin.name, zone.properties).zone;
      return made === undefined ? [] : [buildZoneTable(made)];
    });
  }
  failures(): ApplyFailure[] {
    return [];
  }
  statusOf(
    _name: string,
  ): { origin: string; serial: number | undefined; records: number; file?: string; problems: string[] } | undefined {
    return undefined;
  }
}
