begin;
select plan(8);

create function test.field(type text, name text)
returns jsonb
language sql
as $$select api.openapi()::jsonb #> array['components', 'schemas', field.type, 'properties', field.name]$$;

select is(test.field('LeadInput', 'lead_score') - 'description', '{"type": "integer", "minimum": 0, "maximum": 100}', 'a range');
select is(test.field('LeadInput', 'name') ->> 'maxLength', '255', 'a length');
select is(test.field('LeadItem', 'email') -> 'type', '["string", "null"]', 'a field that can be null');
select is(test.field('LeadItem', 'pipeline_stage') -> 'type', '"string"', 'a field that can''t be null');
select is(test.field('CrmSync', 'status') -> 'enum', '["pending", "in_progress", "ok", "failed", "skipped"]', 'an enum');

-- The limits are only in the constraints: other constraints give other limits.
alter table app.lead drop constraint lead_score_within_0_and_100;
alter table app.lead add constraint lead_score_within_0_and_100 check (lead_score between 10 and 50);
alter table app.lead drop constraint lead_name_is_text_of_1_to_255;
alter table app.lead add constraint lead_name_is_text_of_1_to_99 check (app.is_text(name, 99));
alter table crm.sync drop constraint sync_error_code_is_known, drop constraint sync_status_is_known;
alter table crm.sync add constraint sync_status_is_known check (status in ('pending', 'over'));

select is(test.field('LeadInput', 'lead_score') - 'description', '{"type": "integer", "minimum": 10, "maximum": 50}', 'another range');
select is(test.field('LeadInput', 'name') ->> 'maxLength', '99', 'another length');
select is(test.field('CrmSync', 'status') -> 'enum', '["pending", "over"]', 'another enum');

select * from finish();
rollback;
