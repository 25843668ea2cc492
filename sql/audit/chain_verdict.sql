-- audit.chain_verdict - verifies a part of a chain, and names the first event that fails.
set local role leads_owner;

create or replace function audit.chain_verdict(
  organization_id uuid,
  after bigint,
  "limit" integer,
  head api.chain_head default null
)
returns api.chain_verdict language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp set jit = off
-- Without statistics the planner expects few seals, and would sort all of them for a page.
set enable_sort = off
as $$
declare
  v_organization_id uuid := chain_verdict.organization_id;
  v_after bigint := chain_verdict.after;
  v_before audit.seal;
  v_last audit.seal;
  -- The ranges of positions that were retired.
  v_firsts bigint[];
  v_lasts bigint[];
  v_hashes bytea[];
  v_first_id uuid;
  v_last_id uuid;
  v_is_end boolean;
  v_unsealed bigint;
  v_fault api.chain_fault;
  v_verdict api.chain_verdict;
begin
  select array_agg(r.first), array_agg(r.last), array_agg(r.hash)
  into v_firsts, v_lasts, v_hashes
  from audit.retired_ranges(v_organization_id) as r;
  select s.* into v_before
  from audit.seal as s
  where s.organization_id = v_organization_id and s.position = v_after;
  if v_before.position is null then
    select r.last, r.last, r.hash into v_after, v_before.position, v_before.hash
    from unnest(v_firsts, v_lasts, v_hashes) as r (first, last, hash)
    where v_after between r.first and r.last;
    v_after := coalesce(v_after, chain_verdict.after);
  end if;
  select p.* into v_last
  from (
    select s.*
    from audit.seal as s
    where s.organization_id = v_organization_id and s.position > v_after
    order by s.position
    limit chain_verdict.limit
  ) as p
  order by p.position desc
  limit 1;
  v_is_end := not exists (
    select
    from audit.seal as s
    where s.organization_id = v_organization_id and s.position > coalesce(v_last.position, v_after)
  );
  select count(*) into v_unsealed
  from (select from audit.unsealed as u where u.organization_id = v_organization_id limit 10000) as u;

  if
    chain_verdict.head is not null
    and not exists (
      select
      from audit.seal as s
      where
        s.organization_id = v_organization_id
        and s.position = split_part(chain_verdict.head, ':', 1)::bigint
        and s.hash = decode(split_part(chain_verdict.head, ':', 2), 'hex')
    )
    and not exists (
      select
      from unnest(v_lasts, v_hashes) as r (last, hash)
      where
        r.last = split_part(chain_verdict.head, ':', 1)::bigint
        and r.hash = decode(split_part(chain_verdict.head, ':', 2), 'hex')
    )
  then
    v_fault.position := split_part(chain_verdict.head, ':', 1);
    v_fault.code := case
      when exists (
        select
        from unnest(v_firsts, v_lasts) as r (first, last)
        where
          v_fault.position >= r.first
          and v_fault.position < r.last
          and not exists (
            select
            from audit.seal as s
            where s.organization_id = v_organization_id and s.position = v_fault.position
          )
      )
        then 'head_retired'
      else 'head_mismatch'
    end;
  elsif v_after > 0 and v_before.position is null then
    v_fault.position := v_after;
    v_fault.code := 'seal_missing';
  else
    with page as (
      select
        s.position, s.event_id, s.event_hash, s.hash, s.created_at,
        coalesce(lag(s.position) over chain, v_after) as position_before,
        coalesce(lag(s.hash) over chain, v_before.hash, sha256(uuid_send(v_organization_id))) as hash_before
      from audit.seal as s
      where
        s.organization_id = v_organization_id
        and s.position > v_after
        and s.position <= v_last.position
      window chain as (order by s.position, s.event_id)
    ),
    sealed as materialized (
      select
        p.position, p.event_id, coalesce(r.last, p.position_before) + 1 as expected_position, e.lead_id, e.id is not null as is_there,
        (
          p.hash = sha256(coalesce(r.hash, p.hash_before) || p.event_hash)
          and p.event_hash = audit.event_hash(
            p.position, e.id, e.organization_id, e.action, e.source, e.correlation_id, e.lead_id, e.payload_digest,
            e.created_at
          )
        ) as is_chained,
        e.payload_digest as written, sha256(coalesce(e.salt, '') || convert_to(e.payload::text, 'UTF8')) as present,
        e.salt, e.payload
      from page as p
      -- Exactly the positions of the range may be missing before this one.
      left join unnest(v_firsts, v_lasts, v_hashes) as r (first, last, hash)
        on p.position_before + 1 <> p.position and p.position_before + 1 between r.first and r.last and r.last < p.position
      left join audit.event as e
        on e.organization_id = v_organization_id and e.id = p.event_id and e.created_at = p.created_at
    ),
    telling as (
      select e.*
      from (select distinct s.lead_id from sealed as s where s.present is distinct from s.written) as l
      join audit.event as e
        on e.organization_id = v_organization_id and e.lead_id = l.lead_id and e.action = 'lead.erased'
      union all
      -- This event lists events of all leads, so it is read once and not once for each lead.
      select e.*
      from audit.event as e
      where
        e.organization_id = v_organization_id
        and e.lead_id is null
        and e.action = 'organization.erased'
        and exists (select from sealed as s where s.present is distinct from s.written)
    ),
    -- The digests of erased payloads, which a lead.erased or organization.erased event lists.
    listed as materialized (
      select (i.item ->> 'event_id')::uuid as event_id, decode(i.item ->> 'digest', 'hex') as digest
      from telling as e
      cross join lateral json_array_elements(e.payload -> 'erased') as i (item)
      where
        e.payload_digest = sha256(e.salt || convert_to(e.payload::text, 'UTF8'))
        and (
          exists (
            select
            from audit.seal as s
            where s.organization_id = v_organization_id and s.event_id = e.id and s.created_at = e.created_at
          )
          or exists (select from audit.unsealed as u where u.organization_id = v_organization_id and u.event_id = e.id)
        )
    )
    select least(s.position, s.expected_position), s.event_id, f.code
    into v_fault.position, v_fault.event_id, v_fault.code
    from sealed as s
    cross join lateral (
      select
        case
          when s.position <> s.expected_position then 'seal_missing'
          when not s.is_there then 'event_missing'
          when not s.is_chained then 'hash_mismatch'
          when
            s.present is distinct from s.written
            and (
              not exists (select from listed as l where l.event_id = s.event_id and l.digest = s.present)
              -- The payload must also have the form that an erasure leaves.
              or s.salt is not null
              or audit.erased_payload(s.payload)::text <> s.payload::text
            )
            then 'payload_mismatch'
        end as code
    ) as f
    where f.code is not null
    order by s.position, s.event_id
    limit 1;

    if v_fault.code = 'seal_missing' then
      v_fault.event_id := null;
    elsif v_fault.code is null then
      -- Events without a seal. The search starts after the previous part's last event, so that
      -- consecutive parts cover every event.
      select e.id
      into v_fault.event_id
      from audit.event as e
      where
        e.organization_id = v_organization_id
        and (v_before.event_id is null or e.id > v_before.event_id)
        and (v_before.event_id is null or e.created_at >= v_before.created_at)
        and (v_is_end or e.id <= v_last.event_id)
        and (v_is_end or e.created_at <= v_last.created_at)
        and not exists (
          select
          from audit.seal as s
          where s.organization_id = v_organization_id and s.event_id = e.id and s.created_at = e.created_at
        )
        and not exists (select from audit.unsealed as u where u.organization_id = v_organization_id and u.event_id = e.id)
      order by e.id
      limit 1;
      if found then
        v_fault.code := 'not_sealed';
      elsif v_is_end then
        select u.event_id
        into v_fault.event_id
        from audit.unsealed as u
        where
          u.organization_id = v_organization_id
          and not exists (
            select
            from audit.event as e
            where
              e.organization_id = v_organization_id
              and e.id = u.event_id
              and e.created_at = app.id_time(u.event_id)
          )
        order by u.event_id
        limit 1;
        if found then
          v_fault.code := 'event_missing';
        end if;
      end if;
    end if;
  end if;

  v_fault.detail := case v_fault.code
    when 'head_mismatch' then 'The chain that the head was taken from isn''t this one: seals were removed or written again.'
    when 'head_retired' then
      'The head is of a year that was retired, and its seal is only in the archive. There it can be verified: leads audit verify '
      '--archive FILE --head FILE.'
    when 'seal_missing' then 'There is no seal at this position: it was removed, or there never was one.'
    when 'event_missing' then 'The event was removed from the log, or its id or its time was changed.'
    when 'hash_mismatch' then 'The event or its seal was changed, or another was put in its place.'
    when 'payload_mismatch' then 'The event''s payload was changed, and no erasure tells of it.'
    when 'not_sealed' then 'The event neither has a seal nor waits for one: it was put into the log behind its back.'
  end;
  v_verdict.organization_id := v_organization_id;
  v_verdict.holds := v_fault.code is null;
  v_verdict.fault := case when v_fault.code is not null then v_fault end;
  v_verdict.verified_from := chain_verdict.after + 1;
  v_verdict.verified_to := coalesce(v_last.position, v_after);
  v_verdict.next_after := case when not v_is_end then v_last.position::text end;
  if v_last.position is null then
    v_last := v_before;
  end if;
  v_verdict.head := v_last.position || ':' || encode(v_last.hash, 'hex');
  v_verdict.unsealed := v_unsealed;
  return v_verdict;
end $$;

comment on function audit.chain_verdict(uuid, bigint, integer, api.chain_head) is
$$Verifies up to "limit" seals after a position, and the events that they seal. Reports the first fault.

after: the position of the last seal that was verified before; 0 starts at the beginning of the chain. "limit": a number of
seals. head: a head that was exported earlier and kept elsewhere, which the chain must still contain; null: none. Positions that the
newest event audit.retired names may be missing; a head among them is the fault head_retired, unless it is the last of its range.
Runs with the caller's rights, so row-level security applies.$$;

grant execute on function audit.chain_verdict(uuid, bigint, integer, api.chain_head) to leads_exec, leads_jobs;
