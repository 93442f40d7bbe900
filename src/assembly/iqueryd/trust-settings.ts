// What `gtm global-settings general` says of revocation lists, as src/trust takes it.

import type { GtmGlobalSettingsGeneral } from '../../config/types/gtm-global-settings.ts';
import { TRUST_DEFAULTS, type TrustSettings } from '../../trust/trust-store.ts';

/** `general`: its properties; what it does not say is as shipped. */
export function trustSettingsOf(general: Partial<GtmGlobalSettingsGeneral['properties']>): TrustSettings {
  const { revocation, reverify } = TRUST_DEFAULTS;
  return {
    revocation: {
      depth: general['iquery-crl-validation-depth'] ?? revocation.depth,
      useExpired: general['iquery-use-expired-crls'] ?? revocation.useExpired,
      useNotYetActive: general['iquery-use-not-yet-active-crls'] ?? revocation.useNotYetActive,
      useRevoked: general['iquery-use-revoked-certs'] ?? revocation.useRevoked,
    },
    reverify: {
      onListActive: general['iquery-reverify-on-crl-becoming-active'] ?? reverify.onListActive,
      onListExpiring: general['iquery-reverify-on-crl-expiring'] ?? reverify.onListExpiring,
      onListUpdate: general['iquery-reverify-on-crl-file-update'] ?? reverify.onListUpdate,
    },
  };
}
