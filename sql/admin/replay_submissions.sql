-- admin.replay_submissions - tries again to make leads of what forms have kept, for leads forms replay.
set local role leads_jobs;

create or replace function admin.replay_submissions(
  form_id uuid,
  submission_id uuid default null,
  after uuid default null,
  batch integer default 100
)
returns table (id uuid, outcome text, lead_id uuid, faults jsonb)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := admin.known_form(replay_submissions.form_id);
  v_submission record;
  v_made record;
begin
  if
    replay_submissions.submission_id is not null
    and not exists (
      select from intake.submission as s
      where
        s.organization_id = v_organization_id and s.id = replay_submissions.submission_id
        and s.form_id = replay_submissions.form_id
        and s.outcome in ('kept', 'ignored')
    )
  then
    raise sqlstate 'PT404' using
      message = 'submission_not_found',
      hint = format(
        'The form has not kept a submission %s without a lead. To list them, run: leads forms submissions',
        replay_submissions.submission_id
      );
  end if;
  for v_submission in
    select s.id, s.content, s.faults
    from intake.submission as s
    where
      s.organization_id = v_organization_id
      and s.form_id = replay_submissions.form_id
      and s.outcome in ('kept', 'ignored')
      and (s.id = replay_submissions.submission_id or replay_submissions.submission_id is null)
      and (s.id > replay_submissions.after or replay_submissions.after is null)
      -- What may be forged or spam is sent again by its id only.
      and (
        replay_submissions.submission_id is not null
        or not s.faults @? 'strict $[*] ? (@.code == "invalid_signature" || @.code == "old_signature" || @.code == "wrong_origin" || @.code == "honeypot")'
      )
    order by s.id
    limit replay_submissions.batch
    for update
  loop
    v_made := intake.make_lead(
      v_organization_id,
      replay_submissions.form_id,
      intake.draft(v_organization_id, replay_submissions.form_id, v_submission.content)
      || case when replay_submissions.submission_id is not null then '{"is_caught": false}' else '{}' end::jsonb
    );
    update intake.submission as s
    set
      outcome = v_made.outcome,
      lead_id = v_made.lead_id,
      content = case when v_made.faults <> '[]' or v_made.lead_id is null then s.content end,
      faults = case when v_made.lead_id is null and v_made.faults = '[]' then s.faults else nullif(v_made.faults, '[]') end
    where s.organization_id = v_organization_id and s.id = v_submission.id;
    return query select v_submission.id, v_made.outcome, v_made.lead_id, v_made.faults;
  end loop;
end $$;

comment on function admin.replay_submissions(uuid, uuid, uuid, integer) is
$$Tries again to make leads of kept submissions, the oldest first, and at most batch. Returns a row for each.

submission_id: only this one; null: all of the form, except those with a wrong signature or origin and those that the honeypot
has caught. after: the id of the last one of the previous batch. Raises PT404 form_not_found and
submission_not_found.$$;

grant execute on function admin.replay_submissions(uuid, uuid, uuid, integer) to leads_operator;
