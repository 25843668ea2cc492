-- intake.draft - the lead that a submission describes.
set local role leads_owner;

create or replace function intake.draft(organization_id uuid, form_id uuid, content jsonb)
returns jsonb language plpgsql stable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := draft.organization_id;
  v_form record;
  v_preset record;
  v_entries jsonb;
  v_answer record;
  v_name text;
  v_base text;
  v_text text;
  v_target text;
  v_fields jsonb := '{}';
  v_details jsonb := '{}';
  v_signals jsonb := '{}';
  v_faults jsonb := '[]';
  v_emails text[];
begin
  select f.preset, f.source, f.mapping, f.constants, f.honeypot into v_form
  from intake.form as f
  where f.organization_id = v_organization_id and f.id = draft.form_id;
  select p.required, p.event_paths, p.mapping into v_preset from intake.preset as p where p.name = v_form.preset;
  if draft.content ? 'text' then
    return jsonb_build_object('fields', '{}'::jsonb, 'faults', jsonb_build_array(jsonb_build_object(
      'field', 'body',
      'code', draft.content ->> 'fault',
      'detail', case draft.content ->> 'fault'
        when 'too_many_values' then 'The body has more than 500 values.'
        when 'number_too_large' then 'The body has a number of more than 40 digits.'
        else 'The body is neither a form nor a JSON object.'
      end
    )));
  end if;

  v_entries := (select coalesce(jsonb_object_agg(e.path, e.value), '{}') from intake.entries(draft.content) as e);
  for v_answer in select a.path, a.label, a.type, a.value from intake.answers(draft.content, v_form.preset) as a loop
    v_text := app.clean_text(v_answer.value #>> '{}');
    continue when
      coalesce(v_text, '') = ''
      or v_answer.path = v_form.honeypot
      or starts_with(v_answer.path, v_form.honeypot || '.');
    -- The part after the last dot is the name, unless it says nothing.
    v_name := intake.machine_name(coalesce(
      v_answer.label, substring(v_answer.path from '([^.]+)\.(?:full|value|0)$'), substring(v_answer.path from '[^.]+$')
    ));
    v_target := coalesce(
      intake.mapped_target(v_form.mapping, v_answer.path, v_answer.label, v_answer.type),
      intake.mapped_target(v_preset.mapping, v_answer.path, v_answer.label, v_answer.type),
      intake.usual_target(v_name, v_text)
    );
    continue when v_target = 'ignore';
    if v_target = 'auto' then
      v_target := intake.usual_target(v_name, v_text);
    end if;
    if starts_with(v_target, 'signals.') and not v_signals ? substr(v_target, 9) then
      v_signals := v_signals || jsonb_build_object(substr(v_target, 9), v_answer.value);
      continue;
    elsif v_target !~ '^(details|signals)\.' and not v_fields ? v_target then
      v_fields := v_fields || jsonb_build_object(v_target, v_text);
      continue;
    elsif
      -- A good address takes the place of one that is not.
      (v_target = 'email' and app.is_email(app.ascii_email(v_text)) and not app.is_email(app.ascii_email(v_fields ->> 'email')))
      or (v_target = 'phone' and app.is_phone(v_text) and not app.is_phone(v_fields ->> 'phone'))
    then
      v_name := v_target;
      v_answer.value := v_fields -> v_target;
      v_fields := v_fields || jsonb_build_object(v_target, v_text);
      v_text := v_answer.value #>> '{}';
    elsif v_target like 'details.%' and v_target <> 'details.*' then
      v_name := substr(v_target, 9);
    end if;
    -- Two values with the same name, or a name without letters: the whole path tells them apart.
    if v_name is null or v_details ? v_name then
      v_name := coalesce(intake.machine_name(v_answer.path), 'value');
    end if;
    v_name := left(case when v_name ~ '^[a-z]' then v_name else 'field_' || v_name end, 64);
    v_base := left(v_name, 60);
    for v_number in 2 .. 501 loop
      exit when not v_details ? v_name;
      v_name := v_base || '_' || v_number;
    end loop;
    v_details := v_details || jsonb_build_object(
      v_name, case jsonb_typeof(v_answer.value) when 'string' then to_jsonb(v_text) else v_answer.value end
    );
  end loop;

  -- A form whose fields have numbers for names.
  if not v_fields ? 'email' then
    v_emails := array(
      select d.key from jsonb_each_text(v_details) as d (key, value) where app.is_email(app.ascii_email(d.value)) limit 2
    );
    if cardinality(v_emails) = 1 then
      v_fields := v_fields || jsonb_build_object('email', v_details ->> v_emails[1]);
      v_details := v_details - v_emails[1];
    end if;
  end if;
  if v_fields ?| '{first_name,last_name}' then
    v_text := concat_ws(' ', v_fields ->> 'first_name', v_fields ->> 'last_name');
    if not v_fields ? 'name' then
      v_fields := v_fields || jsonb_build_object('name', v_text);
    elsif not v_fields ? 'last_name' or not v_fields ? 'first_name' then
      -- nombre and apellidos; nom and prenom.
      v_fields := v_fields || jsonb_build_object(
        'name', concat_ws(' ', v_fields ->> 'first_name', v_fields ->> 'name', v_fields ->> 'last_name')
      );
    elsif v_fields ->> 'name' <> v_text then
      v_details := jsonb_build_object('first_name', v_fields -> 'first_name', 'last_name', v_fields -> 'last_name') || v_details;
    end if;
  end if;
  if v_fields ? 'phone_area' then
    v_fields := v_fields || jsonb_build_object('phone', concat_ws(' ', v_fields ->> 'phone_area', v_fields ->> 'phone'));
  end if;
  v_fields := jsonb_build_object('source', v_form.source) || (v_fields - '{first_name,last_name,phone_area}'::text[]);
  v_fields := v_fields || jsonb_build_object('source', coalesce(intake.machine_name(v_fields ->> 'source'), v_form.source));
  for v_answer in select c.key, c.value from jsonb_each(v_form.constants) as c loop
    if starts_with(v_answer.key, 'details.') then
      v_details := v_details || jsonb_build_object(substr(v_answer.key, 9), v_answer.value);
    else
      -- What was sent instead is not lost.
      if v_answer.key <> 'source' and v_fields ? v_answer.key and v_fields -> v_answer.key <> v_answer.value then
        v_details := jsonb_build_object(v_answer.key, v_fields -> v_answer.key) || v_details;
      end if;
      v_fields := v_fields || jsonb_build_object(v_answer.key, v_answer.value);
    end if;
  end loop;

  -- The names of files. Their content is not read.
  v_faults := (
    select coalesce(jsonb_agg(jsonb_build_object(
      'field', left(coalesce(f.field ->> 'name', 'body'), 100),
      'code', case when f.field ? 'fault' then 'malformed' else 'file_refused' end,
      'detail', case
        when f.field ? 'fault' then 'The form breaks off, or is malformed. Fields after this place are missing.'
        else format(
          'The file "%s" was not stored. The other fields count.',
          regexp_replace(left(f.field ->> 'file', 100), '[[:cntrl:]]', '?', 'g')
        )
      end
    )), '[]')
    from jsonb_array_elements(coalesce(draft.content -> 'fields', '[]')) as f (field)
    where f.field ? 'file' or f.field ? 'fault'
  );
  return jsonb_build_object(
    'fields', v_fields,
    'details', v_details,
    'signals', v_signals,
    'faults', v_faults,
    'is_lead', coalesce(v_entries @> v_preset.required, true),
    'is_caught', exists (
      select
      from jsonb_each_text(v_entries) as e (path, value)
      where
        (e.path = v_form.honeypot or starts_with(e.path, v_form.honeypot || '.'))
        and coalesce(app.clean_text(e.value), '') not in ('', 'false')
    ),
    'event', (
      select v_entries ->> p.path
      from unnest(v_preset.event_paths) with ordinality as p (path, position)
      where v_entries ? p.path
      order by p.position
      limit 1
    )
  );
end $$;

comment on function intake.draft(uuid, uuid, jsonb) is
$$The lead that a submission describes, before it is checked, as an object.

fields: texts by field of the lead; details: values by name; signals: values by type; faults: what is wrong already, an array of
{field, code, detail}; is_lead: whether it has what the preset requires; is_caught: whether the honeypot has a value; event: the
sender's id of it, or null. content: of intake.content. An answer goes where the form's mapping says, else where the preset's
says, else where its name usually belongs (intake.usual_target), else into the details.$$;

grant execute on function intake.draft(uuid, uuid, jsonb) to leads_intake, leads_jobs;
