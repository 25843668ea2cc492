-- webhook.announce_keys - stores the public keys of the workers, to which the API seals secrets.
set local role leads_jobs;

create or replace function webhook.announce_keys(key_ids text[], public_keys bytea[])
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_announced text := (
    select string_agg(format('%s %s %s', k.key_id, k.public_key, k.is_current), chr(10) order by k.key_id)
    from webhook.sealing_key as k
  );
begin
  if v_announced is not distinct from (
    select string_agg(format('%s %s %s', k.id, k.public_key, k.position = 1), chr(10) order by k.id)
    from unnest(announce_keys.key_ids, announce_keys.public_keys) with ordinality as k (id, public_key, position)
  ) then
    return;
  end if;
  delete from webhook.sealing_key as k where k.key_id <> all (announce_keys.key_ids);
  update webhook.sealing_key as k set is_current = false where k.is_current;
  -- Of two workers that start at the same time, the second one waits here.
  insert into webhook.sealing_key as k (key_id, public_key, is_current)
  select a.id, a.public_key, a.position = 1
  from unnest(announce_keys.key_ids, announce_keys.public_keys) with ordinality as a (id, public_key, position)
  on conflict (key_id) do update set public_key = excluded.public_key, is_current = excluded.is_current;
  -- Servers read the current key with the routes.
  call app.notify('leads_routes');
end $$;

comment on function webhook.announce_keys(text[], bytea[]) is
$$Stores the public keys of a worker, in place of those that were announced before.

key_ids: the ids of its keys, the current one first. public_keys: the public key of each (X25519, 32 bytes). All workers have
the same keys, so each announces the same. If something has changed, the API servers are notified.$$;

grant execute on function webhook.announce_keys(text[], bytea[]) to leads_worker;
