-- intake.make_lead - makes a lead of a draft.
set local role leads_owner;

create or replace function intake.make_lead(
  organization_id uuid,
  form_id uuid,
  draft jsonb,
  out outcome text,
  out lead_id uuid,
  out faults jsonb
)
returns record language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := make_lead.organization_id;
  v_form record;
  v_fields jsonb := make_lead.draft -> 'fields';
  v_details jsonb := coalesce(make_lead.draft -> 'details', '{}');
  v_signals jsonb := coalesce(make_lead.draft -> 'signals', '{}');
  v_fault record;
  v_lead app.lead_values;
  v_constraint text;
  v_contact_fault json;
begin
  faults := make_lead.draft -> 'faults';
  outcome := 'kept';
  select f.on_duplicate, f.duplicate_hours into v_form
  from intake.form as f
  where f.organization_id = v_organization_id and f.id = make_lead.form_id;
  if make_lead.draft ->> 'is_caught' = 'true' then
    faults := faults || jsonb_build_array(jsonb_build_object(
      'field', 'body', 'code', 'honeypot', 'detail', 'The honeypot has a value, so this is probably spam.'
    ));
    return;
  elsif make_lead.draft ->> 'is_repeat' = 'true' then
    faults := faults || jsonb_build_array(jsonb_build_object(
      'field', 'body', 'code', 'repeated_event',
      'detail', 'The sender has sent another submission with this id before, which became a lead.'
    ));
    return;
  elsif make_lead.draft ->> 'is_lead' = 'false' then
    outcome := 'ignored';
    faults := faults || jsonb_build_array(jsonb_build_object(
      'field', 'body', 'code', 'no_lead', 'detail', 'This is not what the preset of the form makes leads of.'
    ));
    return;
  end if;

  -- A value that is no good for its field becomes a detail, so that nothing is lost.
  for v_fault in
    select f.fault ->> 'field' as field, f.fault
    from json_array_elements(app.lead_faults(v_organization_id, v_fields)) as f (fault)
  loop
    faults := faults || jsonb_build_array(v_fault.fault::jsonb);
    v_details := jsonb_build_object(v_fault.field, v_fields -> v_fault.field) || v_details;
    v_fields := v_fields - v_fault.field;
  end loop;
  for v_fault in
    select d.field, d.code, d.detail from app.details_faults(v_details) as d (field, code, detail)
  loop
    faults := faults || jsonb_build_array(to_jsonb(v_fault));
    v_details := v_details - substr(v_fault.field, 9);
  end loop;
  -- The largest details that are too many stay in the submission only.
  for v_fault in
    select d.key
    from (
      select
        d.key,
        row_number() over smallest as number,
        -- Quotation marks, a colon, a comma and two spaces.
        sum(octet_length(d.key) + octet_length(d.value::text) + 6) over smallest as size
      from jsonb_each(v_details) as d (key, value)
      window smallest as (order by octet_length(d.value::text), d.key rows unbounded preceding)
    ) as d
    where d.number > 50 or d.size > 16300
  loop
    faults := faults || jsonb_build_array(jsonb_build_object(
      'field', 'details.' || v_fault.key, 'code', 'too_many', 'detail', 'A lead has at most 50 details, and 16 KiB of them.'
    ));
    v_details := v_details - v_fault.key;
  end loop;
  for v_fault in
    select s.key from jsonb_each(v_signals) as s (key, value)
    where not (app.is_name(s.key) and scoring.is_signal_value(scoring.clean_value(s.value)))
  loop
    faults := faults || jsonb_build_array(jsonb_build_object(
      'field', 'signals.' || v_fault.key, 'code', 'invalid_signal', 'detail', 'This is no signal of a lead.'
    ));
    v_signals := v_signals - v_fault.key;
  end loop;
  if not v_fields ? 'email' and not v_fields ?& '{name,company}' then
    v_contact_fault := app.contact_fault(v_organization_id, v_fields ?& '{name,phone}', false);
    if v_contact_fault is not null then
      faults := faults || v_contact_fault::jsonb;
      return;
    end if;
  end if;
  v_lead := app.lead_from(v_fields || case when v_details <> '{}' then jsonb_build_object('details', v_details) else '{}' end, null);

  begin
    if v_form.on_duplicate <> 'create' then
      -- Two submissions of a person at the same time would both find no lead.
      perform from intake.form as f
      where f.organization_id = v_organization_id and f.id = make_lead.form_id
      for no key update;
      select l.id into lead_id
      from app.lead as l
      where
        l.organization_id = v_organization_id
        and (
          l.email_key = lower(v_lead.email collate "C")
          or l.phone_key = app.phone_key(v_lead.phone, app.country_code(v_organization_id))
        )
        and l.created_at >= now() - make_interval(hours => v_form.duplicate_hours)
      order by l.created_at desc, l.id desc
      limit 1;
    end if;
    if lead_id is null then
      insert into app.lead as l (
        organization_id, name, company, email, source, pipeline_stage, industry, company_size, pain_points, timeline,
        budget_range, phone, reference, details
      )
      values (
        v_organization_id, v_lead.name, v_lead.company, v_lead.email, v_lead.source, coalesce(v_lead.pipeline_stage, 'new'),
        v_lead.industry, v_lead.company_size, v_lead.pain_points, v_lead.timeline, v_lead.budget_range, v_lead.phone,
        v_lead.reference, v_lead.details
      )
      returning l.id into lead_id;
      outcome := 'created';
    elsif v_form.on_duplicate = 'fill' then
      update app.lead as l
      set
        name = coalesce(l.name, v_lead.name),
        company = coalesce(l.company, v_lead.company),
        email = coalesce(l.email, v_lead.email),
        industry = coalesce(l.industry, v_lead.industry),
        company_size = coalesce(l.company_size, v_lead.company_size),
        pain_points = coalesce(l.pain_points, v_lead.pain_points),
        timeline = coalesce(l.timeline, v_lead.timeline),
        budget_range = coalesce(l.budget_range, v_lead.budget_range),
        phone = coalesce(l.phone, v_lead.phone),
        details = case
          when app.details_size_faults(coalesce(v_lead.details, '{}') || coalesce(l.details, '{}')) is null
            then nullif(coalesce(v_lead.details, '{}') || coalesce(l.details, '{}'), '{}')
          else l.details
        end
      where l.organization_id = v_organization_id and l.id = lead_id;
      outcome := 'filled';
    else
      outcome := 'skipped';
    end if;
    if outcome <> 'created' then
      faults := faults || (
        select coalesce(jsonb_agg(jsonb_build_object(
          'field', s.key, 'code', 'not_stored', 'detail', 'The lead that was there has another value, which stays.'
        ) order by s.key), '[]')
        from app.lead as l
        cross join lateral (
          select s.key, s.value, to_jsonb(l) -> s.key as stored
          from jsonb_each(jsonb_strip_nulls(to_jsonb(v_lead)) - 'details') as s (key, value)
          union all
          select 'details.' || d.key, d.value, l.details -> d.key
          from jsonb_each(coalesce(v_lead.details, '{}')) as d (key, value)
        ) as s
        where
          l.organization_id = v_organization_id and l.id = lead_id
          and s.value is distinct from s.stored
          and not (s.key = 'email' and lower(s.value #>> '{}') = lower(s.stored #>> '{}'))
          and s.key not in ('source', 'pipeline_stage')
      );
    end if;
    if outcome <> 'skipped' and v_signals <> '{}' then
      insert into scoring.signal (organization_id, lead_id, type, value, observed_at)
      select v_organization_id, make_lead.lead_id, s.key, scoring.clean_value(s.value), date_trunc('milliseconds', now())
      from jsonb_each(v_signals) as s (key, value);
      if (select m.document -> 'rescore_on_signal' = 'true' from scoring.model_in_force(v_organization_id) as m) then
        perform scoring.score_lead(v_organization_id, lead_id);
      end if;
    end if;
  exception
    when integrity_constraint_violation or data_exception then
      -- It keeps the submission: a mapping that the constants or another lead contradict.
      get stacked diagnostics v_constraint = constraint_name;
      outcome := 'kept';
      lead_id := null;
      faults := faults || jsonb_build_array(jsonb_build_object(
        'field', case when v_constraint = 'lead_by_reference' then 'reference' else 'body' end,
        'code', case when v_constraint = 'lead_by_reference' then 'reference_in_use' else 'refused' end,
        'detail', case
          when v_constraint = 'lead_by_reference' then 'Another lead has this reference.'
          else format('The lead breaks the rule %s.', coalesce(nullif(v_constraint, ''), sqlstate))
        end
      ));
      return;
  end;
  perform crm.wake_worker(v_organization_id, lead_id);
end $$;

comment on function intake.make_lead(uuid, uuid, jsonb) is
$$Makes a lead of a draft (intake.draft), or finds the lead that it repeats, as the form says.

outcome: created, filled, skipped, ignored or kept (intake.submission). faults: all that was wrong, an array of {field, code,
detail}; empty: nothing. A value that its field can't have becomes a detail. A detail that a lead can't have is left out. The
submission is kept if what is left is no lead.$$;

grant execute on function intake.make_lead(uuid, uuid, jsonb) to leads_intake, leads_jobs;
