begin;
select plan(1);

create table test.former as select e.id from audit.event as e;
update app.pipeline_stage set position = 9 where organization_id = organization('alice') and name = 'lost';
update app.pipeline_stage set name = 'gone' where organization_id = organization('alice') and name = 'lost';
delete from app.pipeline_stage where organization_id = organization('alice') and name = 'gone';
update app.organization set name = 'A' where organization_id = organization('alice');
update app.organization set name = 'A' where organization_id = organization('alice');

select results_eq(
  $$
    select e.action, e.payload::jsonb - '{key_id,role}'::text[]
    from audit.event as e
    where e.id not in (select f.id from test.former as f)
    order by e.id
  $$,
  $$
    values
      ('pipeline_stage.updated', jsonb '{"pipeline_stage": "lost", "diff": {"position": {"from": 6, "to": 9}}}'),
      ('pipeline_stage.updated', '{"pipeline_stage": "gone", "diff": {"name": {"from": "lost", "to": "gone"}}}'),
      (
        'pipeline_stage.deleted',
        '{"pipeline_stage": "gone", "diff": {"name": {"from": "gone", "to": null}, "position": {"from": 9, "to": null}}}'
      ),
      (
        'organization.updated',
        jsonb_build_object(
          'organization', organization('alice'), 'diff',
          jsonb '{"name": {"from": "The organization of alice", "to": "A"}}'
        )
      )
  $$,
  'a statement that changes nothing creates no event'
);

select * from finish();
rollback;
