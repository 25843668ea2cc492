-- auth.position_states - whether this server has replayed the changes up to each position.
set local role leads_auth;

create or replace function auth.position_states(positions text[])
returns text[] language plpgsql stable parallel unsafe security definer set search_path = pg_catalog, pg_temp
as $$
begin
  -- One statement, because each expression is prepared again in each transaction.
  return array(
    select
      case
        when p.content is null then 'invalid'
        when k.id is null then 'unknown'
        when substr(p.content, 33) <> substr(sha256(k.outer_key || sha256(k.inner_key || substr(p.content, 1, 32))), 1, 16)
        then 'invalid'
        when s.replayed is null then 'primary'
        when s.replayed >= (
          ('x' || encode(substr(p.content, 25, 8), 'hex'))::bit(64)::bigint
          # ('x' || encode(
            substr(sha256(k.outer_key || sha256(k.inner_key || substr(p.content, 9, 16))), 1, 8), 'hex'
          ))::bit(64)::bigint
        )
        then 'replayed'
        else 'behind'
      end
    from (
      select
        u.number,
        case when u.position collate "C" ~ '^[A-Za-z0-9+/]{64}$' then decode(u.position, 'base64') end as content
      from unnest(position_states.positions) with ordinality as u (position, number)
      offset 0
    ) as p
    cross join (
      select
        c.system_identifier,
        case when pg_is_in_recovery() then coalesce(pg_last_wal_replay_lsn() - '0/0', 0) end as replayed
      from pg_control_system() as c
      offset 0
    ) as s
    left join auth.position_key as k on k.id = substr(p.content, 1, 8) and k.system_identifier = s.system_identifier
    order by p.number
  );
end $$;

comment on function auth.position_states(text[]) is
$$The state of each position that auth.current_position has returned, in their order.

invalid: it is not a position, or it is not authentic. unknown: it is of another cluster, or of a timeline that this server has
not followed. primary: this server is no replica. replayed: the server has replayed the log up to the position. behind: it has
not.
A statement that begins later reads everything up to a position that is "replayed". The same statement does not: its snapshot
may be older than the comparison.$$;

grant execute on function auth.position_states(text[]) to leads_api;
