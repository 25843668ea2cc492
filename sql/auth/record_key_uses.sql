-- auth.record_key_uses - records when keys were last used. The server calls it once a minute.
set local role leads_auth;

create or replace function auth.record_key_uses(key_digests text[], seconds_ago double precision[])
returns void language sql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
begin atomic
  insert into auth.key_use as u (organization_id, key_id, last_used_at)
  select
    k.organization_id,
    k.id,
    -- A key is not used after its end.
    max(least(now() - make_interval(secs => least(greatest(c.seconds_ago, 0), 1e6)), k.revoked_at, k.expires_at))
  from unnest(record_key_uses.key_digests, record_key_uses.seconds_ago) as c (key_digest, seconds_ago)
  join auth.api_key as k on k.digest = sha256(decode(substring(c.key_digest, '^[0-9a-f]{64}$'), 'hex'))
  where
    c.seconds_ago is not null
    and not k.is_fenced
  group by k.organization_id, k.id
  -- In the same order in each process, so that two can't lock each other's rows.
  order by k.organization_id, k.id
  on conflict on constraint key_use_pkey do update set last_used_at = excluded.last_used_at
  where u.last_used_at < excluded.last_used_at;
end;

comment on function auth.record_key_uses(text[], double precision[]) is
$$Records when keys were last used, unless a later use is recorded.

key_digests: the claims, as for auth.enter, so a caller can record only uses of keys whose claim it has. One that belongs to no
key is left out, also one of an organization that moves to another cell. seconds_ago: for each claim, how long ago the use was.$$;

grant execute on function auth.record_key_uses(text[], double precision[]) to leads_api;
