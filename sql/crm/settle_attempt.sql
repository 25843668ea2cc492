-- crm.settle_attempt - records the outcome of an attempt and decides what happens next.
set local role leads_jobs;

create or replace function crm.settle_attempt(
  organization_id uuid,
  sync_id uuid,
  attempt integer,
  outcome text,
  external_id text default null,
  http_status integer default null,
  message text default null,
  retry_after double precision default null
)
returns text language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := settle_attempt.organization_id;
  v_outcome text := settle_attempt.outcome;
  v_message text := app.trim_text(left(app.trim_text(settle_attempt.message), 1000));
  v_now timestamptz := date_trunc('milliseconds', clock_timestamp());
  v_sync crm.sync;
  v_attempt crm.attempt;
  v_settle_seconds integer;
  v_has_search boolean;
  v_open_until timestamptz;
  v_age numeric;
  v_tries integer;
  v_failures integer;
  v_delay numeric;
  v_error_code text;
begin
  if (
    v_outcome in (
      'created', 'linked', 'simulated', 'refused', 'not_yet', 'unauthorized', 'not_made', 'unknown', 'unclear', 'undecided'
    )
  ) is not true then
    raise sqlstate 'PT422' using message = 'unknown_outcome', hint = format('There is no outcome "%s".', v_outcome);
  end if;
  v_message := nullif(v_message, '');
  if v_outcome in ('created', 'linked', 'simulated') and app.is_text(settle_attempt.external_id, 255) is not true then
    v_outcome := 'undecided';
    v_message := 'The vendor returned an id that can''t be stored. An id must have 1 to 255 characters.';
  end if;
  -- The outcome of an older attempt is ignored. The newer attempt finds its record at the vendor.
  select s.* into v_sync
  from crm.sync as s
  where
    s.organization_id = v_organization_id
    and s.id = settle_attempt.sync_id
    and s.attempts = settle_attempt.attempt
    and s.status = 'in_progress'
    -- A move to another cell has waited for the end of the lease, and no longer.
    and (
      s.run_at > clock_timestamp()
      or not exists (select from app.placement as f where f.organization_id = s.organization_id and f.is_fenced)
    )
  for no key update;
  if not found then
    return null;
  end if;
  if v_outcome = 'not_yet' then
    -- For an hour after the first attempt of the series with this answer.
    v_outcome := case
      when exists (
        select
        from crm.attempt as a
        where
          a.organization_id = v_organization_id and a.sync_id = v_sync.id and a.number > v_sync.begun_after
          and a.http_status = settle_attempt.http_status
          and a.created_at <= v_now - interval '1 hour'
      ) then 'refused'
      else 'not_made'
    end;
  end if;

  update crm.attempt as a
  set
    outcome = case v_outcome
      when 'unknown' then null
      when 'unclear' then null
      when 'unauthorized' then 'refused'
      when 'undecided' then 'not_made'
      else v_outcome
    end,
    -- The attempt stays open even after a search: the vendor may have an earlier attempt's record.
    sent_at = case when v_outcome in ('unknown', 'unclear') and a.display_name is not null then coalesce(a.sent_at, v_now) else a.sent_at end,
    http_status = settle_attempt.http_status,
    message = v_message
  where a.organization_id = v_organization_id and a.sync_id = v_sync.id and a.number = v_sync.attempts
  returning a.* into v_attempt;

  if v_outcome in ('created', 'linked', 'simulated') then
    update crm.attempt as a
    set outcome = 'settled'
    where a.organization_id = v_organization_id and a.sync_id = v_sync.id and a.outcome is null;
    update crm.sync as s
    set
      status = 'ok', external_id = settle_attempt.external_id, last_synced_at = v_now, run_at = null, error_code = null,
      error = null
    where s.organization_id = v_organization_id and s.id = v_sync.id;
    return 'ok';
  end if;

  -- Retry-After applies to the whole connection. A 429 without Retry-After counts as 0.25 seconds.
  select v.has_search, coalesce(c.settle_seconds, v.settle_seconds) into v_has_search, v_settle_seconds
  from crm.vendor as v
  left join crm.connection as c
    on c.organization_id = v_organization_id and c.vendor = v.name and c.account = v_sync.account
  where v.name = v_sync.vendor;
  update crm.connection as c
  set blocked_until = greatest(
    c.blocked_until,
    v_now + make_interval(secs => least(greatest(coalesce(settle_attempt.retry_after, 0.25), 0), 86400))
  )
  where
    c.organization_id = v_organization_id and c.vendor = v_sync.vendor and c.account = v_sync.account
    and (settle_attempt.retry_after is not null or settle_attempt.http_status = 429);
  if v_outcome = 'unauthorized' then
    update crm.connection as c
    set state = 'paused', fault = coalesce(v_message, 'The vendor refused the credential.')
    where
      c.organization_id = v_organization_id and c.vendor = v_sync.vendor and c.account = v_sync.account
      and c.state = 'active'
      and c.revision = v_attempt.connection_revision;
    -- If the connection has a new credential, the refusal of the old one doesn't pause it.
    perform
    from crm.connection as c
    where c.organization_id = v_organization_id and c.revision = v_attempt.connection_revision;
    v_outcome := case when found then v_outcome else 'not_made' end;
  end if;
  if v_outcome = 'refused' and v_attempt.display_name is not null then
    -- The searches before this call found no record of the earlier attempts.
    update crm.attempt as a
    set outcome = 'settled'
    where a.organization_id = v_organization_id and a.sync_id = v_sync.id and a.outcome is null;
  end if;

  v_open_until := crm.open_until(v_organization_id, v_sync.id, v_settle_seconds);
  v_age := extract(epoch from v_now - v_sync.begun_at);
  v_tries := v_sync.attempts - v_sync.begun_after;
  v_error_code := case
    when v_outcome in ('unclear', 'undecided') then 'outcome_unknown'
    -- An unauthorized push with open attempts waits until the connection is resumed.
    when v_outcome in ('refused', 'unauthorized') then
      case when v_open_until is null or not v_has_search then 'rejected' when v_outcome = 'refused' then 'outcome_unknown' end
    when v_age >= 86400 and v_tries >= 20 then
      case when v_open_until is null or not v_has_search then 'gave_up' else 'outcome_unknown' end
  end;
  if v_error_code is not null then
    update crm.sync as s
    set status = 'failed', error_code = v_error_code, error = v_message, run_at = null
    where s.organization_id = v_organization_id and s.id = v_sync.id;
    return 'failed';
  end if;

  -- The delay is 1, 2, 4, 8, then 10 seconds. After ten minutes it doubles every ten minutes, up to
  -- an hour. Half is random, so that pushes spread out. Attempts of dead workers don't count.
  select count(*) into v_failures
  from crm.attempt as a
  where
    a.organization_id = v_organization_id and a.sync_id = v_sync.id and a.number > v_sync.begun_after
    and (a.message is not null or a.outcome = 'not_made');
  v_delay := least(
    2 ^ least(greatest(v_failures - 1, 0), 12)::numeric, 10 * 2 ^ least(greatest(v_age - 600, 0) / 600, 20), 3600
  ) * (0.5 + random()::numeric / 2);
  update crm.sync as s
  set
    status = 'pending',
    run_at = greatest(v_now + make_interval(secs => v_delay::double precision), v_open_until),
    error = v_message
  where s.organization_id = v_organization_id and s.id = v_sync.id;
  return 'pending';
end $$;

comment on function crm.settle_attempt(uuid, uuid, integer, text, text, integer, text, double precision) is
$$Records the outcome of an attempt. Returns the sync's new status, or null if another worker has the lease.

outcome:
- created, linked (to an existing record): the sync is ok, with external_id.
- simulated: as created, for a test organization.
- refused: the sync is failed.
- not_yet: refused, but the push is tried again until attempts have had this http_status for an hour.
- unauthorized: the sync is failed, and the connection is paused.
- not_made: no record was created; the push is tried again.
- unknown: a record may have been created; the push is tried again after settle_seconds.
- unclear: a record may have been created, and another attempt would end in the same way; the sync is failed until an operator
  decides.
- undecided: the vendor's search can't tell; the sync is failed until an operator decides.

retry_after: the seconds that the whole connection waits, at most 86,400. A push fails after 24 hours and 20 attempts. Raises
PT422 unknown_outcome.$$;

grant execute on function crm.settle_attempt(uuid, uuid, integer, text, text, integer, text, double precision) to leads_worker;
