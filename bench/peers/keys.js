// The organization of a request's key. The peers with Node.js use this.

import { createHash } from "node:crypto";

const KEY_MILLISECONDS = 60_000;
// The organization of each key that was seen, and when to look the key up again.
const known = new Map();

const sha256 = (bytes) => createHash("sha256").update(bytes).digest();

// The value of the header Authorization. Null: there is no such key.
export async function organizationOf(authorization, pool) {
  const [scheme, key] = (authorization ?? "").split(" ");
  if (scheme !== "Bearer" || !key) return null;
  const entry = known.get(key);
  if (entry && Date.now() < entry.end) return entry.organization;
  const { rows } = await pool.query({
    name: "key",
    text: `select organization_id from auth.api_key
           where digest = $1 and revoked_at is null and (expires_at is null or expires_at > now())`,
    values: [sha256(sha256(key))],
  });
  if (rows.length === 0) return null;
  known.set(key, { organization: rows[0].organization_id, end: Date.now() + KEY_MILLISECONDS });
  return rows[0].organization_id;
}
