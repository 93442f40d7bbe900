// What the configuration says of revocation lists, as src/trust takes it.

import type { GtmGlobalSettingsGeneral } from '../../config/types/gtm-global-settings.ts';
import type { TrustSettings } from '../../trust/trust-store.ts';

/** `general`: undefined where nothing is configured. */
export function trustSettingsOf({ properties }: GtmGlobalSettingsGeneral): TrustSettings {
  return {
    revocation: {
      depth: properties['iquery-crl-validation-depth'],
      useExpired: properties['iquery-use-expired-crls'],
      useNotYetActive: properties['iquery-use-not-yet-active-crls'],
      useRevoked: properties['iquery-use-revoked-certs'],
    },
    reverify: {
      onListActive: properties['iquery-reverify-on-crl-becoming-active'],
      onListExpiring: properties['iquery-reverify-on-crl-expiring'],
      onListUpdate: properties['iquery-reverify-on-crl-file-update'],
    },
  };
}
