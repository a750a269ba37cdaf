import { OWN_ROUTES_PATH } from '../gate/isPublicByNature';

// Below the `auth` plugin.
export const POLICY_PATH = `${OWN_ROUTES_PATH}/v1/policy`;
export const REVOCATIONS_PATH = `${OWN_ROUTES_PATH}/v1/revocations`;
