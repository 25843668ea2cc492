-- auth.current_position - a position that is not before any change that is committed: the header Leads-Position of a write.
set local role leads_auth;

create or replace function auth.current_position()
returns text language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_position text;
begin
  if pg_is_in_recovery() then
    return null;
  end if;
  -- The second time, after the first position of a timeline has created its key.
  for v_attempt in 1 .. 2 loop
    -- One statement, because each expression is prepared again in each transaction.
    select encode(p.content || substr(sha256(p.outer_key || sha256(p.inner_key || p.content)), 1, 16), 'base64')
    into v_position
    from (
      select
        k.inner_key,
        k.outer_key,
        -- The LSN is encrypted, because the difference of two shows how much all organizations write.
        k.id || n.nonce || int8send(
          (l.lsn - '0/0')::bigint
          # ('x' || encode(substr(sha256(k.outer_key || sha256(k.inner_key || n.nonce)), 1, 8), 'hex'))::bit(64)::bigint
        ) as content
      from auth.position_key as k
      cross join (select uuid_send(gen_random_uuid()) as nonce offset 0) as n
      -- A commit that waits for its flush is before the end of what is flushed. A replica does not have the rest yet.
      cross join (
        select
          case current_setting('synchronous_commit')
            when 'off' then pg_current_wal_insert_lsn() else pg_current_wal_flush_lsn()
          end as lsn
        offset 0
      ) as l
      where
        k.system_identifier = (select c.system_identifier from pg_control_system() as c)
        and k.timeline = left(pg_walfile_name(l.lsn), 8)
      offset 0
    ) as p;
    exit when found;
    -- Of two transactions, the second one waits here.
    insert into auth.position_key (id, system_identifier, timeline, inner_key, outer_key)
    select
      substr(sha256(r.random[1]), 1, 8),
      (select c.system_identifier from pg_control_system() as c),
      left(pg_walfile_name(pg_current_wal_flush_lsn()), 8),
      sha256(r.random[2]) || sha256(r.random[3]),
      sha256(r.random[4]) || sha256(r.random[5])
    from (
      select array_agg(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())) as random from generate_series(1, 5)
    ) as r
    on conflict on constraint position_key_is_of_one_timeline do nothing;
  end loop;
  return v_position;
end $$;

comment on function auth.current_position() is
$$A position in the write-ahead log that is not before the end of any transaction that has committed; null on a replica.

64 digits of base64, for 48 bytes: the id of the key (8), a nonce (16), the LSN, encrypted (8), and the first half of an
HMAC-SHA-256 of these (16), whose inner and outer key are independent. The key belongs to the cluster and to its timeline. The
first position of a timeline creates it, so a server knows the key only if it has followed this timeline.
A position belongs to no organization: it is a lower limit for how new a read is, and shows nothing.$$;

grant execute on function auth.current_position() to leads_api;
