begin;
select plan(13);

create function test.imported(positions integer[], fields text[], is_last boolean default false)
returns json language plpgsql volatile
as $$
declare
  v_row record;
begin
  insert into admin.import_line (organization_id, file_digest, position, fields)
  select test.organization('alice'), sha256('file'), r.position, r.fields
  from unnest(imported.positions, imported.fields) as r (position, fields);
  select r.* into v_row
  from admin.import_leads(test.organization('alice'), sha256('file'), false, 'reference', 'error', false, imported.is_last) as r;
  return to_json(v_row);
end $$;

select act_as('operator');
select is(
  (select to_json(r)::jsonb from admin.begin_import(organization('alice'), sha256('file')) as r),
  '{"rows_done": 0, "created": 0, "updated": 0, "skipped": 0, "failed": 0, "is_complete": false}', 'begun'
);
select is(
  test.imported(
    '{2,1,3}',
    array[
      '{"email": "x", "created_at": "yesterday"}',
      '{"email": "ada@example.com", "reference": "1", "created_at": "2020-02-01T10:00:00+01:00", "pipeline_stage": "qualified"}',
      '{"email": "bea@example.com", "created_at": "2999-01-01"}'
    ]
  )::jsonb #- '{failures,0,errors,0,detail}' #- '{failures,0,errors,1,detail}' #- '{failures,1,errors,0,detail}',
  '{
    "rows_done": 3, "created": 1, "updated": 0, "skipped": 0, "failed": 2,
    "failures": [
      {"row": 2, "errors": [{"field": "created_at", "code": "invalid_timestamp"}, {"field": "email", "code": "invalid_email"}]},
      {"row": 3, "errors": [{"field": "created_at", "code": "invalid_timestamp"}]}
    ]
  }',
  'the rows of a batch'
);
select throws_ok($$select test.imported('{3}', '{"{}"}')$$, 'PT409', 'import_is_elsewhere', 'a row that is done');
select throws_ok($$select test.imported('{5}', '{"{}"}')$$, 'PT409', 'import_is_elsewhere', 'a gap');
select throws_ok(
  format(
    $$select admin.import_leads(%L, sha256('other'), false, 'reference', 'error', false, false)$$, organization('alice')
  ),
  'PT409', 'import_is_elsewhere', 'no rows'
);
select is(test.imported('{4}', array['{"email": "eve@example.com", "reference": "1"}'], true) ->> 'failed', '3', 'the next batch');
select is(
  (select r.is_complete from admin.begin_import(organization('alice'), sha256('file')) as r), true, 'complete'
);
select is(
  (select r.rows_done from admin.begin_import(organization('alice'), sha256('file'), true) as r), 0, 'begun again'
);
select throws_ok($$select * from admin.import_row$$, '42501', null, 'the operator reads no row');
select throws_ok($$insert into app.lead (organization_id) values (null)$$, '42501', null, 'and writes no other table');

select act_as('dba');
select is((select count(*) from admin.import_row), 0::bigint, 'no row is left');
select is(
  (select array_agg(row(l.created_at at time zone 'UTC', l.qualification_completed_at at time zone 'UTC')::text) from app.lead as l),
  array['("2020-02-01 09:00:00","2020-02-01 09:00:00")'], 'the times of the lead'
);
select is(
  (
    select array_agg(row(e.action, e.source, e.payload ->> 'role')::text order by e.id)
    from audit.event as e
    where e.lead_id is not null
  ),
  array['(lead.created,system,leads_operator)', '(lead.read,system,leads_operator)'],
  'the events: a lead was created, and then a row found it'
);

select * from finish();
rollback;
