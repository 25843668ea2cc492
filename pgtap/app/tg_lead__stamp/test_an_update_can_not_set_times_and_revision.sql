begin;
select plan(6);

insert into app.lead (organization_id, email) values (organization('alice'), 'ada@example.com');
update app.lead set
  name = 'Ada', revision = 77, updated_at = '2000-01-01', qualification_completed_at = '2000-01-01';
select is((select l.revision from app.lead as l), 2, 'the revision is incremented');
select is((select l.updated_at from app.lead as l), date_trunc('milliseconds', now()), 'updated_at is now');
select is((select l.qualification_completed_at from app.lead as l), null, 'not qualified');
select throws_ok(
  format('update app.lead set %s', c.change), 'PT409', 'lead_identity_is_fixed', c.change
)
from (values
  ('id = app.new_id()'), ('organization_id = organization(''bob'')'), ('created_at = created_at - interval ''1 hour''')
) as c (change);

select * from finish();
rollback;
