// What the configuration says of the synchronisation group.

import type { AnyConfigObject } from '../../config/object-type.ts';
import type { GtmGlobalSettingsGeneral } from '../../config/types/gtm-global-settings.ts';

export type SyncSettings = {
  readonly isOn: boolean;
  readonly group: string;
  /** 0: clocks do not matter. */
  readonly toleranceMs: number;
  readonly timeoutMs: number;
  readonly hasZoneFiles: boolean;
  readonly zoneTimeoutMs: number;
};

const OFF: SyncSettings = {
  isOn: false,
  group: 'default',
  toleranceMs: 10_000,
  timeoutMs: 180_000,
  hasZoneFiles: false,
  zoneTimeoutMs: 300_000,
};

const SECOND = 1000;
/** Of a timer. */
const MOST_MS = 0x7fff_ffff;

/** `general` is `gtm global-settings general`. */
export function syncSettings(general: AnyConfigObject | undefined): SyncSettings {
  if (general === undefined) return OFF;
  const { properties } = general as GtmGlobalSettingsGeneral;
  const milliseconds = (seconds: number): number => Math.min(MOST_MS, Math.max(1, seconds) * SECOND);
  return {
    isOn: properties.synchronization,
    group: properties['synchronization-group-name'],
    toleranceMs: properties['synchronization-time-tolerance'] * SECOND,
    timeoutMs: milliseconds(properties['synchronization-timeout']),
    hasZoneFiles: properties.synchronization && properties['synchronize-zone-files'],
    zoneTimeoutMs: milliseconds(properties['synchronize-zone-files-timeout']),
  };
}
